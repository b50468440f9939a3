"""How much the model minds an error in what a layer adds: the curvature of its loss there.

Errors of different layers, and of an attention and a feed forward, are no common currency: the
model hears some directions and hardly notices others. The Fisher matrix of a layer's output turns
a squared output error into loss, to second order: good as far as cuts are small.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from prune.checkpoint import Checkpoint
from prune.families.groups import groups
from prune.forcing import Report, Speech, drawn, fitting_clips, forcing, logits_of


@torch.enable_grad()
def output_sensitivity(
    checkpoint: Checkpoint,
    speech: Speech,
    *,
    seed: int = 0,
    report: Report | None = None,
) -> dict[str, Tensor]:
    """By output layer of each group: the sum over frames, mean over clips, of gradient g gᵀ.

    The gradient is that of the log-likelihood of tokens (CTC: of each frame's letter) drawn from
    the model's own answer to the clip, which makes it the true Fisher matrix, not that of the
    texts; Whisper's decoder is fed the text. Shape (outputs, outputs), fp32.
    """
    model = checkpoint.model
    total: dict[str, Tensor] = {}
    layers = {group.output for group in groups(model).values()}
    hooks = [
        model.get_submodule(name).register_forward_hook(_adder(name, total)) for name in layers
    ]
    generator = torch.Generator().manual_seed(seed)
    force, fitting = forcing(checkpoint), fitting_clips(checkpoint, speech)
    try:
        for done, index in enumerate(fitting, start=1):
            forced = force(*speech[index])
            assert forced is not None
            answer = logits_of(model, forced)
            cross_entropy(answer, drawn(answer, generator), reduction="sum").backward()
            model.zero_grad(set_to_none=True)
            if report:
                report("sensitivity of the outputs", done, len(fitting))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: matrix / len(fitting) for name, matrix in total.items()}


def _adder(name: str, total: dict[str, Tensor]) -> Callable[..., None]:
    def add(gradient: Tensor) -> None:
        rows = gradient.flatten(0, -2).float()
        total[name] = total.get(name, 0) + rows.T @ rows

    def watch(_module: object, _given: object, out: Tensor) -> None:
        if out.requires_grad:
            out.register_hook(add)

    return watch
