"""What each layer's zeros cost: measured error curves, in the loss that they are expected to bring.

An allocation by search chooses among these.
"""

from collections.abc import Mapping

from torch import Tensor

from prune.forcing import Report
from prune.solve import SharedSolver, Solver, cut_to_count

#: Sparsities at which each layer is tried; closer together where errors rise fast.
GRID = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)

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
        errors = [_error(solver, weight, sparsity) for sparsity in GRID]
        rising = [max(errors[: i + 1]) for i in range(len(errors))]
        curves[name] = [0.5 * sensitivities[name] * whole * error for error in rising]
    if report:
        report("error curves", len(weights), len(weights))
    return curves


def _error(solver: Solver, weight: Tensor, sparsity: float) -> float:
    if sparsity in (0.0, 1.0):
        return sparsity
    zeros = max(round(sparsity * weight.numel()), int((weight == 0).sum()))
    return solver.solve(weight, cut_to_count(zeros), levels=_LEVELS, rounds=_ROUNDS).error
