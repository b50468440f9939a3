"""What each layer's zeros cost: measured error curves, in the loss that they are expected to bring.

An allocation by search chooses among these.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from prune.forcing import Report
from prune.solve import SharedSolver, Solver, cut_to_count

#: Sparsities at which each layer is tried; closer together where errors rise fast.
_TRIED = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)

#: Sparsities at which its cost is given.
GRID = tuple(percent / 100 for percent in range(101))

#: Levels and rounds of mask search: enough to tell layers apart.
_LEVELS, _ROUNDS = 4, 3


def error_curves(
    weights: Mapping[str, Tensor],
    hessians: Mapping[str, Tensor],
    sensitivities: Mapping[str, float],
    *,
    report: Report | None = None,
) -> dict[str, list[float]]:
    """By layer the expected loss, nats a clip, at each sparsity of the grid, rising."""
    curves: dict[str, list[float]] = {}
    solvers = SharedSolver()
    for done, (name, weight) in enumerate(weights.items()):
        if report:
            report("error curves", done, len(weights))
        hessian = hessians[name]
        solver = solvers.of(name, hessian)
        whole = float(((weight @ hessian.to(weight.dtype)) * weight).sum())
        errors = between([_error(solver, weight, sparsity) for sparsity in _TRIED])
        curves[name] = [0.5 * sensitivities[name] * whole * error for error in errors]
    if report:
        report("error curves", len(weights), len(weights))
    return curves


def between(tried: Sequence[float]) -> list[float]:
    """The error at all sparsities of the grid, from those at which it was measured.

    From each of them on, and below the first, it is taken for a power of the sparsity; straight
    lines, as they are drawn only up from no error at all, would give every layer one of the
    sparsities that were tried.
    """
    places, grid = np.array([0.0, *_TRIED, 1.0]), np.array(GRID)
    known = np.maximum.accumulate([0.0, *tried, 1.0])
    left = np.clip(np.searchsorted(places, grid, side="right") - 1, 1, len(places) - 2)
    start, share = known[left], grid / places[left]
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log(known[left + 1] / start) / np.log(places[left + 1] / places[left])
        curved = start * share ** np.where(share < 1, np.maximum(powers, 1), powers)
    errors: list[float] = np.where(start > 0, curved, np.interp(grid, places, known)).tolist()
    return errors


def _error(solver: Solver, weight: Tensor, sparsity: float) -> float:
    zeros = max(round(sparsity * weight.numel()), int((weight == 0).sum()))
    return solver.solve(weight, cut_to_count(zeros), levels=_LEVELS, rounds=_ROUNDS).error
