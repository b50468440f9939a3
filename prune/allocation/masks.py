"""Which weights go, once it is known how many: scores in, masks out (True is kept).

Of equal scores the first go first, row by row, so the same scores give the same mask anywhere.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from prune.allocation.budget import Counts
from prune.allocation.threshold import kth_lowest, refuse_nan
from speech.errors import BadInput


def lowest(scores: Tensor, count: int) -> Tensor:
    """Mask that drops exactly the `count` lowest scores; of equal ones the first go first."""
    flat = scores.flatten()
    _refuse_impossible(flat, count)
    keep = torch.ones_like(flat, dtype=torch.bool)
    if count > 0:
        threshold = kth_lowest(flat, count)
        below = flat < threshold
        keep[below] = False
        tied = (flat == threshold).nonzero().flatten()
        keep[tied[: count - int(below.sum())]] = False
    return keep.view_as(scores)


def lowest_by_row(scores: Tensor, count: int) -> Tensor:
    """Mask that drops `count` scores, the lowest of every row: rows differ by one at the most."""
    _refuse_impossible(scores, count)
    rows = len(scores)
    due = [count * (row + 1) // rows - count * row // rows for row in range(rows)]
    return _without_lowest(scores, torch.tensor(due, device=scores.device)[:, None])


def n_of_m(scores: Tensor, n: int, m: int) -> Tensor:
    """Mask that keeps the n highest of every m consecutive inputs of each output.

    `scores` has shape (outputs, inputs). Where m does not divide the inputs, the last group is
    shorter and keeps its share, halves rounded up: never more than n.
    """
    if not (0 <= n <= m and m > 0):
        raise BadInput(f"pattern {n}:{m} is impossible: keep 0 to m of every m inputs, m above 0.")
    _refuse_impossible(scores, 0)
    outputs, inputs = scores.shape
    even = inputs - inputs % m
    groups = _without_lowest(scores[:, :even].reshape(-1, m), m - n)
    last = _without_lowest(scores[:, even:], inputs - even - _share(inputs - even, n, m))
    return torch.cat([groups.view(outputs, even), last], dim=1)


def zeros_of_n_of_m(outputs: int, inputs: int, n: int, m: int) -> int:
    """How many weights `n_of_m` drops in a layer of that shape."""
    rest = inputs % m
    return outputs * (inputs // m * (m - n) + rest - _share(rest, n, m))


def _share(inputs: int, n: int, m: int) -> int:
    """How many of a shorter group of inputs stay."""
    return (2 * n * inputs + m) // (2 * m)


def zeros_first(scores: Tensor, weight: Tensor) -> Tensor:
    """Scores by which weights that are zero already go before all others."""
    return scores.masked_fill((weight == 0).view_as(scores), -torch.inf)


def masked(
    scores: Mapping[str, Tensor], zeros: Counts, *, by_row: bool = False
) -> dict[str, Tensor]:
    """Masks for an allocation: each layer drops its number of lowest scores."""
    refuse_nan(scores)
    drop = lowest_by_row if by_row else lowest
    return {name: drop(score, zeros[name]) for name, score in scores.items()}


def _without_lowest(rows: Tensor, counts: Tensor | int) -> Tensor:
    """Mask that drops so many of each row, stably sorted; `counts` is broadcast over rows."""
    order = rows.sort(dim=1, stable=True).indices
    keep = torch.empty_like(rows, dtype=torch.bool)
    stays = torch.arange(rows.shape[1], device=rows.device) >= counts
    return keep.scatter_(1, order, stays.expand_as(rows))


def _refuse_impossible(scores: Tensor, count: int) -> None:
    if not 0 <= count <= scores.numel():
        raise ValueError(f"{count} of {scores.numel()} weights cannot be dropped")
    if bool(scores.isnan().any()):
        raise ValueError("its scores are not numbers (NaN)")
