"""How the loss moves with outputs and weights: one clip at a time, nothing kept but sums."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.forcing import Forced, Report, Speech, drawn, fitting_clips, forcing, logits_of
from prune.learning.losses import task_for
from speech.errors import BadInput


@torch.enable_grad()
def sensitivities(
    checkpoint: Checkpoint,
    speech: Speech,
    *,
    seed: int = 0,
    tied: bool = False,
    report: Report | None = None,
) -> dict[str, float]:
    """How much the loss minds an error in each prunable layer's outputs.

    It is the squared gradient of a clip's log-likelihood, of tokens drawn from the model's own
    answers (the Fisher information), summed over frames and averaged over outputs: half of it times
    a layer's squared output error, mean over frames, estimates the damage in nats a clip.
    """
    model = checkpoint.model
    layers = prunable_layers(model, tied=tied)
    sums: dict[str, float] = dict.fromkeys(layers, 0.0)
    clips = 0

    def watch(name: str) -> Callable[..., None]:
        def add(gradient: Tensor) -> None:
            sums[name] += float(gradient.square().sum())

        def hook(_layer: object, _given: object, out: Tensor) -> None:
            out.register_hook(add)

        return hook

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    generator = torch.Generator().manual_seed(seed)
    try:
        for forced in _clips(checkpoint, speech, "sensitivity of the layers", report):
            answer = logits_of(model, forced)
            cross_entropy(answer, drawn(answer, generator), reduction="sum").backward()
            model.zero_grad(set_to_none=True)
            clips += 1
    finally:
        for hook in hooks:
            hook.remove()
    return {name: sums[name] / (clips * len(layer.weight)) for name, layer in layers.items()}


@dataclass(frozen=True)
class Gradients:
    """Of the texts' loss by one layer's weights, in the layer's matrix shape."""

    mean: Tensor
    #: Mean over clips of its absolute value.
    absolute: Tensor
    #: Mean over clips of its square: the empirical Fisher information.
    squared: Tensor


@torch.enable_grad()
def gradients(
    checkpoint: Checkpoint, speech: Speech, *, tied: bool = False, report: Report | None = None
) -> dict[str, Gradients]:
    """How the loss of each clip's own text, nats per token, moves with every prunable weight."""
    model, task = checkpoint.model, task_for(checkpoint)
    layers = prunable_layers(model, tied=tied)
    mean = {name: torch.zeros_like(layer.weight.detach()) for name, layer in layers.items()}
    absolute = {name: torch.zeros_like(total) for name, total in mean.items()}
    squared = {name: torch.zeros_like(total) for name, total in mean.items()}
    fitting = fitting_clips(checkpoint, speech)
    for done, index in enumerate(fitting, start=1):
        batch = task.batch([task.example(*speech[index])])
        task.answer(model, batch).loss.backward()
        for name, layer in layers.items():
            gradient = layer.weight.grad
            if gradient is None or not gradient.isfinite().all():
                raise BadInput(f"{name} gets NaN or infinite gradients on the calibration clips.")
            mean[name] += gradient / len(fitting)
            absolute[name] += gradient.abs() / len(fitting)
            squared[name] += gradient.square() / len(fitting)
        model.zero_grad(set_to_none=True)
        if report:
            report("gradients", done, len(fitting))
    return {
        name: Gradients(*(sums[name].flatten(1) for sums in (mean, absolute, squared)))
        for name in layers
    }


def _clips(
    checkpoint: Checkpoint, speech: Speech, label: str, report: Report | None
) -> Iterator[Forced]:
    force, fitting = forcing(checkpoint), fitting_clips(checkpoint, speech)
    for done, index in enumerate(fitting, start=1):
        forced = force(*speech[index])
        assert forced is not None
        yield forced
        if report:
            report(label, done, len(fitting))
