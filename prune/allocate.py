"""How the zeros are shared out: scores in, masks out (True is kept), at the exact target."""

from collections.abc import Mapping

import torch
from torch import Tensor


def lowest(scores: Tensor, count: int) -> Tensor:
    """Mask that drops exactly the `count` lowest scores; of equal ones the first go first."""
    flat = scores.flatten()
    keep = torch.ones_like(flat, dtype=torch.bool)
    if count > 0:
        threshold = flat.kthvalue(count).values
        below = flat < threshold
        keep[below] = False
        tied = (flat == threshold).nonzero().flatten()
        keep[tied[: count - int(below.sum())]] = False
    return keep.view_as(scores)


def globally(scores: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """One threshold for all layers: the lowest scores go, wherever they are."""
    together = torch.cat([score.flatten() for score in scores.values()])
    keep = lowest(together, round(sparsity * together.numel()))
    parts = keep.split([score.numel() for score in scores.values()])
    return {name: part.view_as(scores[name]) for name, part in zip(scores, parts, strict=True)}


def uniformly(scores: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """The same sparsity in every layer."""
    return {name: lowest(score, round(sparsity * score.numel())) for name, score in scores.items()}


def uniformly_by_row(scores: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """The same sparsity in every output of every layer, as Wanda compares."""
    masks = {}
    for name, score in scores.items():
        due = [round(sparsity * score.shape[1] * row) for row in range(len(score) + 1)]
        rows = [lowest(row, due[i + 1] - due[i]) for i, row in enumerate(score)]
        masks[name] = torch.stack(rows)
    return masks
