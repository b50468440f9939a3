"""Whether one choice of sparsities beats another beyond doubt: both are tried on speech.

A search always finds sparsities that promise less damage than even ones. Where little is damaged,
the promise is smaller than what chance moves, and even ones are as good.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean, stdev

import torch
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.forcing import Report, Speech, fitting_clips
from prune.learning.losses import task_for
from prune.solve import SharedSolver

#: Standard errors that a gain must exceed: 95 % intervals are as wide.
_DOUBT = 2.0


@torch.no_grad()
def beats(
    checkpoint: Checkpoint,
    speech: Speech,
    hessians: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    zeros: Mapping[str, int],
    others: Mapping[str, int],
    *,
    report: Report | None = None,
) -> bool:
    """Whether the model cut to so many `zeros` a layer says the clips' texts better than `others`.

    `weights` are the layers' own, in the model's memory; the model ends as it began. Each choice is
    cut by one sweep on what the uncut model hears, at a fraction of the mask search's cost. That
    harms more, so that a difference shows at lower sparsities than it would after the real cut.
    Losses are compared clip by clip.
    """
    if zeros == others:
        return False
    losses = []
    for done, counts in enumerate((zeros, others)):
        if report:
            report("trying the sparsities", done, 2)
        with _cut(weights, hessians, counts):
            losses.append(_losses(checkpoint, speech))
    if report:
        report("trying the sparsities", 2, 2)
    return is_beyond_doubt([other - mine for mine, other in zip(*losses, strict=True)])


def is_beyond_doubt(gains: Sequence[float]) -> bool:
    """Whether the mean is above zero by more than chance; of a single clip that is never known."""
    if len(gains) < 2:
        return False
    return fmean(gains) > _DOUBT * stdev(gains) / math.sqrt(len(gains))


@contextmanager
def _cut(
    weights: Mapping[str, Tensor], hessians: Mapping[str, Tensor], zeros: Mapping[str, int]
) -> Iterator[None]:
    """For a while, each layer by itself."""
    before = {name: weight.clone() for name, weight in weights.items()}
    solvers = SharedSolver()
    try:
        for name, weight in weights.items():
            solver = solvers.of(name, hessians[name])
            weight.copy_(solver.solve_quickly(weight, zeros[name]).weight)
        yield
    finally:
        for name, weight in weights.items():
            weight.copy_(before[name])


def _losses(checkpoint: Checkpoint, speech: Speech) -> list[float]:
    """Of each clip's own text, in nats a clip."""
    task, losses = task_for(checkpoint), []
    for index in fitting_clips(checkpoint, speech):
        answer = task.answer(checkpoint.model, task.batch([task.example(*speech[index])]))
        losses.append(float(answer.loss) * answer.tokens)
    return losses
