"""Optimal Brain Surgeon for one layer: which weights go, and how the others make up for them.

A layer's output error is the trace of (W - V) H (W - V)ᵀ with H = X Xᵀ, the layer's Hessian over
the calibration inputs. `sweep` walks over the columns, drops the weights that cost least and lets
the columns still ahead absorb the error; `refit` then solves for the weights that stay, exactly.
Pure functions of tensors; weights have shape (outputs, inputs), Hessians (inputs, inputs).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from prune.allocate import lowest

#: Columns swept before the error is passed on to all that follow.
BLOCK = 128

#: The first damping tried, and the last, as shares of the Hessian's mean diagonal.
_LEAST_DAMPING = 0.01
_MOST_DAMPING = 1.0

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


def damped(hessian: Tensor) -> Damped:
    """The Hessian with just enough on its diagonal to be factored; raises if nothing is enough."""
    dead = hessian.diagonal() <= 0
    mended = hessian.clone()
    mended.diagonal()[dead] = 1
    mean = mended.diagonal()[~dead].mean() if bool((~dead).any()) else mended.new_ones(())
    damping = _LEAST_DAMPING
    while damping <= _MOST_DAMPING:
        tried = mended.clone()
        tried.diagonal().add_(damping * mean)
        if int(torch.linalg.cholesky_ex(tried).info) == 0:
            return Damped(tried, damping, dead)
        damping *= 10
    raise ValueError("the Hessian has NaN or infinite entries, or is not positive")


def sweep(weight: Tensor, hessian: Damped, sparsity: float) -> tuple[Tensor, Tensor]:
    """Weights and mask (True is kept) after one pass over the columns, the SparseGPT algorithm.

    Each block of columns loses exactly its share of weights, wherever in the block they matter
    least: w² over the squared diagonal of the inverse Hessian's factor.
    """
    updated = weight.clone()
    updated[:, hessian.dead] = 0
    keep = torch.ones_like(weight, dtype=torch.bool)
    factor = _inverse_factor(hessian.hessian)
    columns = weight.shape[1]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        block, inner = updated[:, start:stop], factor[start:stop, start:stop]
        scores = (block / inner.diagonal()).square()
        done = round(sparsity * weight.shape[0] * start)
        due = round(sparsity * weight.shape[0] * stop) - done
        stays = lowest(scores, due)
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


def refit(weight: Tensor, keep: Tensor, hessian: Tensor) -> Tensor:
    """The best weights under a mask: each row's least-squares solution over what it keeps.

    Rows are solved in batches of like counts, padded with the identity, in the Hessian's type.
    """
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
        solved = torch.cholesky_solve(right[:, :, None], torch.linalg.cholesky(system))[:, :, 0]
        fitted[rows] = torch.zeros_like(wanted[rows]).scatter_(1, chosen, solved * real)
    return fitted.to(weight.dtype)


def layer_error(weight: Tensor, pruned: Tensor, hessian: Tensor) -> float:
    """‖(W - V) X‖² / ‖W X‖², from the Hessian of X."""
    dense, lost = weight.to(hessian.dtype), (weight - pruned).to(hessian.dtype)
    return float(((lost @ hessian) * lost).sum() / ((dense @ hessian) * dense).sum())


def _inverse_factor(hessian: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _batches(order: Tensor, counts: Tensor) -> list[Tensor]:
    """Rows, fewest kept inputs first, in groups whose systems fit in memory together."""
    widest = max(1, int(counts.max()))
    size = max(1, _BATCH_NUMBERS // widest**2)
    return list(order.split(size))
