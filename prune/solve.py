"""Optimal Brain Surgeon for one layer: what goes, and what the rest becomes to make up for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from prune.allocation.masks import lowest, n_of_m, zeros_first
from prune.mask_search import LEVELS, ROUNDS, MaskSearch
from prune.reconstruct import Damped, damped, layer_error, refit, sweep

#: Makes the mask (True is kept) from scores; weights that are zero already have gone first.
Cut = Callable[[Tensor], Tensor]


def cut_to_count(zeros: int) -> Cut:
    """As many zeros in the whole layer, wherever they cost least."""
    return lambda scores: lowest(scores, zeros)


def cut_to_pattern(kept: int, group: int) -> Cut:
    """So many weights of every group of consecutive inputs."""
    return lambda scores: n_of_m(scores, kept, group)


@dataclass(frozen=True)
class Solution:
    weight: Tensor
    #: Share of the Hessian's mean diagonal that was added to it.
    damping: float
    #: ‖(W - V) X‖² / ‖W X‖².
    error: float


class Solver:
    """For one Hessian; `layer` is the one whose name an error tells."""

    def __init__(self, hessian: Tensor, layer: str = "the layer"):
        self.hessian = hessian
        self.damped: Damped = damped(hessian, layer)

    @cached_property
    def _search(self) -> MaskSearch:
        return MaskSearch(self.damped.hessian)

    def solve(
        self,
        weight: Tensor,
        cut: Cut,
        *,
        target: Tensor | None = None,
        levels: int = LEVELS,
        rounds: int = ROUNDS,
    ) -> Solution:
        """The layer with a new mask, its zeros kept, and the best weights under it.

        Best is what says what `target` does, weights without a zero; the layer itself unless given.
        """
        target = weight if target is None else target
        matter = target.masked_fill(self.damped.dead, 0)
        keep, near = self._search.best_mask(
            matter,
            lambda scores: cut(zeros_first(scores, weight)),
            levels=levels,
            rounds=rounds,
        )
        return self._refitted(target, keep & (weight != 0), near)

    def solve_quickly(
        self, weight: Tensor, zeros: int, *, target: Tensor | None = None
    ) -> Solution:
        """The same with the mask of one sweep: several times faster, and a larger error."""
        target = weight if target is None else target
        swept, keep = sweep(target.masked_fill(weight == 0, 0), self.damped, zeros)
        return self._refitted(target, keep & (weight != 0), swept)

    def _refitted(self, target: Tensor, keep: Tensor, near: Tensor) -> Solution:
        fitted = refit(target, keep, self.damped.hessian, near)
        return Solution(fitted, self.damped.damping, layer_error(target, fitted, self.hessian))


class SharedSolver:
    """Layers that hear the same share the work that depends on it alone, if they come in a row."""

    def __init__(self) -> None:
        self._last: Solver | None = None

    def of(self, layer: str, hessian: Tensor) -> Solver:
        if self._last is None or self._last.hessian is not hessian:
            self._last = Solver(hessian, layer)
        return self._last
