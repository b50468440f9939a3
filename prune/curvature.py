"""How curved the loss is over each layer's weights: Hutchinson's estimate of Hessian traces.

It wants many directions, clips times samples: with fewer than some thousands two seeds rank the
layers of a model differently.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.forcing import Report, Speech, fitting_clips
from prune.learning.ctc_loss import ctc_loss
from prune.learning.losses import Batch, Task, task_for


@torch.enable_grad()
def hessian_traces(
    checkpoint: Checkpoint,
    speech: Speech,
    *,
    samples: int,
    seed: int = 0,
    tied: bool = False,
    report: Report | None = None,
) -> dict[str, float]:
    """Trace of the second derivative of the texts' loss by each prunable layer's weights.

    The loss is that of each clip's own text, nats per token, and the estimate is the mean over
    clips of `samples` random directions each. A layer near which the loss is hollow has a trace
    below zero.
    """
    model, task = checkpoint.model, task_for(checkpoint)
    layers = prunable_layers(model, tied=tied)
    weights = [layer.weight for layer in layers.values()]
    frozen = [weight for weight in weights if not weight.requires_grad]
    fitting = fitting_clips(checkpoint, speech)
    generator = torch.Generator().manual_seed(seed)
    sums = torch.zeros(len(weights), dtype=torch.float64)
    try:
        for weight in frozen:
            weight.requires_grad_()
        for done, index in enumerate(fitting, start=1):
            batch = task.batch([task.example(*speech[index])])
            loss = _loss(checkpoint, task, batch)
            sums += block_traces(loss, weights, samples=samples, generator=generator)
            if report:
                report("curvature of the layers", done, len(fitting))
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
    return dict(zip(layers, (sums / len(fitting)).tolist(), strict=True))


def block_traces(
    loss: Tensor, weights: Sequence[Tensor], *, samples: int, generator: torch.Generator
) -> Tensor:
    """For each of the weights the mean of v · (H v) over random signs v, of all weights at once.

    It is an unbiased estimate of the trace of that weight's block of the loss's Hessian: what the
    other blocks of the row add has a mean of zero. Signs are drawn on the CPU, so that a seed gives
    the same ones on every device.
    """
    slopes = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    bent = [place for place, slope in enumerate(slopes) if slope.requires_grad]
    sums = torch.zeros(len(weights), dtype=torch.float64)
    for _ in range(samples if bent else 0):
        signs = [_signs(weight, generator) for weight in weights]
        products = torch.autograd.grad(
            [slopes[place] for place in bent],
            weights,
            [signs[place] for place in bent],
            retain_graph=True,
            materialize_grads=True,
        )
        pairs = zip(signs, products, strict=True)
        sums += torch.stack([(sign * product).sum() for sign, product in pairs]).cpu()
    return sums / samples


def _signs(weight: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.randint(0, 2, weight.shape, generator=generator)
    return drawn.to(weight) * 2 - 1


def _loss(checkpoint: Checkpoint, task: Task, batch: Batch) -> Tensor:
    """The task's own, in forms that can be differentiated twice."""
    with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
        answer = task.answer(checkpoint.model, batch)
    if checkpoint.family == "whisper":
        return answer.loss
    letters = batch.targets[0].to(answer.logits.device)
    blank = checkpoint.model.config.pad_token_id
    return ctc_loss(answer.logits, letters[letters >= 0], blank=blank) / answer.tokens
