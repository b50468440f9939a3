"""The loss of a batch of which several processes have heard a part each: the parts add up to it.

Losses are means over the tokens and frames of a batch, and one is a share of the teacher's variance
in it. So each process weighs its own means by what all have counted together.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from prune.learning.losses import IGNORED, Answer, Batch, divergence, refuse_unlike_states
from prune.training_plan import FineTuning


def counted(heard: Batch, taught: Answer | None, plan: FineTuning) -> Tensor:
    """Tokens and rows of logits; then how many numbers each block of the teacher gives, their sum
    and the sum of their squares. In fp64, to be added up over the processes."""
    rows = taught.logits.shape[0] if taught else 0
    counts = torch.tensor([int((heard.targets != IGNORED).sum()), rows], dtype=torch.float64)
    if taught is None:
        return counts
    counts = counts.to(taught.logits.device)
    if not plan.distil_states:
        return counts
    return torch.cat([counts, *map(_moments, taught.states)])


def _moments(state: Tensor) -> Tensor:
    count = state.numel()
    variance, mean = (number.double() for number in torch.var_mean(state, correction=0))
    return torch.stack([torch.full_like(mean, count), count * mean, count * (variance + mean**2)])


def part_of_loss(answer: Answer, taught: Answer | None, all_: Tensor, plan: FineTuning) -> Tensor:
    """What this part adds to the loss of the batch, in which `all_` was counted."""
    tokens, rows = all_[:2]
    loss: Tensor = answer.loss * (answer.tokens / tokens.clamp_min(1)).float()
    if taught and plan.distil_logits:
        apart = divergence(answer, taught, plan.temperature)
        loss = loss + plan.distil_logits * apart * (len(taught.logits) / rows).float()
    if taught and plan.distil_states:
        loss = loss + plan.distil_states * _part_of_distance(answer, taught, all_[2:].view(-1, 3))
    return loss


def _part_of_distance(answer: Answer, taught: Answer, moments: Tensor) -> Tensor:
    refuse_unlike_states(answer, taught)
    shares = []
    for mine, theirs, of_all in zip(answer.states, taught.states, moments, strict=True):
        count, total, squares = of_all
        variance = (squares - total**2 / count) / (count - 1)
        share = (theirs.numel() / count / variance).float()
        shares.append(F.mse_loss(mine, theirs) * share)
    return torch.stack(shares).mean()
