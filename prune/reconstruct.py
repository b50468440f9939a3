"""Optimal Brain Surgeon for one layer: which weights go, and how the others make up for them.

A layer's output error is the trace of (W - V) H (W - V)ᵀ with H = X Xᵀ, the layer's Hessian over
the calibration inputs. `sweep` walks over the columns, drops the weights that cost least and lets
the columns still ahead absorb the error; `refit` solves for the weights that stay, exactly.
`prune.mask_search` finds better masks than one sweep, and takes longer.
Pure functions of tensors; weights have shape (outputs, inputs), Hessians (inputs, inputs).
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from prune.allocation.masks import lowest, zeros_first
from prune.linear_algebra import inverse_factor, is_positive_definite, solved
from speech.errors import BadInput

#: Columns swept before the error is passed on to all that follow.
BLOCK = 128

#: The first damping tried, and the last, as shares of the Hessian's mean diagonal.
_LEAST_DAMPING = 0.01
_MOST_DAMPING = 1.0

#: Rows that keep no more inputs than this are factored; more, and iterating is faster.
_SOLVED_ROW_BY_ROW = 64

#: Conjugate gradients stop where a step lowers the layer's error by no more than this share: it is
#: then within 0.5 % of the exact solution's.
_TOLERANCE = 2e-5
_MOST_STEPS = 500

#: Rows of normal equations solved at a time hold at most so many numbers.
_BATCH_NUMBERS = 32_000_000


@dataclass(frozen=True)
class Damped:
    """A Hessian that can be factored, and what that took."""

    hessian: Tensor
    #: Share of the mean diagonal that was added to the diagonal.
    damping: float
    #: Inputs that were zero on every calibration frame: their weights are free to go.
    dead: Tensor


def damped(hessian: Tensor, layer: str) -> Damped:
    """The layer's Hessian with just enough on its diagonal to be factored."""
    dead = hessian.diagonal() <= 0
    mended = hessian.clone()
    mended.diagonal()[dead] = 1
    mean = mended.diagonal()[~dead].mean() if bool((~dead).any()) else mended.new_ones(())
    damping = _LEAST_DAMPING
    while damping <= _MOST_DAMPING:
        tried = mended.clone()
        tried.diagonal().add_(damping * mean)
        if bool(is_positive_definite(tried)):
            return Damped(tried, damping, dead)
        damping *= 10
    raise BadInput(
        f"{layer} cannot be solved for: "
        "its Hessian has NaN or infinite entries, or is not positive."
    )


def sweep(weight: Tensor, hessian: Damped, zeros: int) -> tuple[Tensor, Tensor]:
    """Weights and mask (True is kept) after one pass over the columns, the SparseGPT algorithm.

    Of the `zeros` asked for those that are there count first; each block of columns then loses
    exactly its share of the rest, wherever in the block they matter least: w² over the squared
    diagonal of the inverse Hessian's factor.
    """
    updated = weight.clone()
    updated[:, hessian.dead] = 0
    keep = torch.ones_like(weight, dtype=torch.bool)
    factor = inverse_factor(hessian.hessian)
    due = _due(weight, zeros)
    for number, start in enumerate(range(0, weight.shape[1], BLOCK)):
        stop = min(start + BLOCK, weight.shape[1])
        block, inner = updated[:, start:stop], factor[start:stop, start:stop]
        scores = zeros_first((block / inner.diagonal()).square(), weight[:, start:stop])
        stays = lowest(scores, due[number])
        keep[:, start:stop] = stays
        errors = torch.empty_like(block)
        for i in range(stop - start):
            column = block[:, i]
            error = torch.where(stays[:, i], 0, column) / inner[i, i]
            block[:, i:] -= error[:, None] * inner[i, i:]
            errors[:, i] = error
        block[~stays] = 0
        updated[:, stop:] -= errors @ factor[start:stop, stop:]
    return updated, keep


def _due(weight: Tensor, zeros: int) -> list[int]:
    """Zeros of each block of columns: those that are there, and its share of those to come."""
    blocks = weight.split(BLOCK, dim=1)
    there = [int((block == 0).sum()) for block in blocks]
    passed = [0, *accumulate(int((block != 0).sum()) for block in blocks)]
    to_come = zeros - sum(there)
    shares = [round(to_come * alive / max(1, passed[-1])) for alive in passed]
    more = [after - before for before, after in pairwise(shares)]
    return [gone + new for gone, new in zip(there, more, strict=True)]


def refit(weight: Tensor, keep: Tensor, hessian: Tensor, near: Tensor | None = None) -> Tensor:
    """The best weights under a mask: each row's least-squares solution over what it keeps.

    Where rows keep few inputs each is solved by Cholesky; else all together by conjugate gradients
    until they hardly help, from the weights `near` on if there are such. Both solve the same normal
    equations in the Hessian's type; the second only multiplies matrices.
    """
    if int(keep.sum(1).max()) <= _SOLVED_ROW_BY_ROW:
        fitted = _solved_by_rows(weight, keep, hessian)
    else:
        fitted = _solved_together(weight, keep, hessian, weight if near is None else near)
    return fitted.to(weight.dtype)


def _solved_by_rows(weight: Tensor, keep: Tensor, hessian: Tensor) -> Tensor:
    """In batches of like counts, padded with the identity."""
    wanted = weight.to(hessian.dtype) @ hessian
    fitted = torch.zeros_like(wanted)
    counts = keep.sum(1)
    order = counts.argsort()
    for rows in _batches(order, counts):
        width = int(counts[rows].max())
        if width == 0:
            continue
        # Indices of the kept inputs first; beyond a row's count they are padding.
        chosen = keep[rows].to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :width]
        real = torch.arange(width, device=weight.device) < counts[rows, None]
        system = hessian[chosen[:, :, None], chosen[:, None, :]]
        system *= real[:, :, None] & real[:, None, :]
        system.diagonal(dim1=1, dim2=2).add_((~real).to(system.dtype))
        right = wanted[rows].gather(1, chosen) * real
        answer = solved(system, right[..., None])[..., 0] * real
        fitted[rows] = torch.zeros_like(wanted[rows]).scatter_(1, chosen, answer)
    return fitted


def _solved_together(weight: Tensor, keep: Tensor, hessian: Tensor, near: Tensor) -> Tensor:
    """Conjugate gradients with the diagonal as preconditioner, every row with a mask of its own."""
    mask, diagonal = keep.to(hessian.dtype), hessian.diagonal()
    fitted = near.to(hessian.dtype) * mask
    apart = weight.to(hessian.dtype) - fitted
    far = apart @ hessian
    error = float((apart * far).sum())
    rest = far * mask
    tiny = torch.finfo(hessian.dtype).tiny
    pulled = rest / diagonal
    direction, size = pulled.clone(), (rest * pulled).sum(1, keepdim=True)
    for _ in range(_MOST_STEPS):
        answer = (direction @ hessian) * mask
        step = size / (direction * answer).sum(1, keepdim=True).clamp_min(tiny)
        fitted += step * direction
        rest -= step * answer
        gained = float((step * size).sum())
        error -= gained
        if gained <= _TOLERANCE * error:
            break
        pulled, before = rest / diagonal, size
        size = (rest * pulled).sum(1, keepdim=True)
        direction.mul_(size / before.clamp_min(tiny)).add_(pulled)
    return fitted


def layer_error(weight: Tensor, pruned: Tensor, hessian: Tensor) -> float:
    """‖(W - V) X‖² / ‖W X‖², from the Hessian of X."""
    dense, lost = weight.to(hessian.dtype), (weight - pruned).to(hessian.dtype)
    whole = float(((dense @ hessian) * dense).sum())
    return float(((lost @ hessian) * lost).sum()) / whole if whole > 0 else 0.0


def _batches(order: Tensor, counts: Tensor) -> list[Tensor]:
    """Rows, fewest kept inputs first, in groups whose systems fit in memory together."""
    widest = max(1, int(counts.max()))
    size = max(1, _BATCH_NUMBERS // widest**2)
    return list(order.split(size))
