"""Which weights of a layer to keep, when those that stay will make up for those that go.

Choosing the mask V ≠ 0 that minimises tr (W - V) H (W - V)ᵀ is combinatorial. Alternating
directions split it in two that are easy: the best weights near a sparse guess (a linear solve, the
same for all rows), and the sparsest guess near given weights (keep the largest). A growing penalty
draws the two together until the mask no longer changes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from prune.linear_algebra import inverse

#: Penalties, as shares of the Hessian's diagonal, from the first to the last in even ratios, and
#: the rounds of the two steps under each. Fewer are cheaper and lose a little.
LEVELS, ROUNDS = 6, 5
_FIRST_PENALTY, _LAST_PENALTY = 0.02, 2.0

#: How far beyond the best weights a round goes: about half as many rounds do.
_OVER_RELAXED = 1.6

#: Wider Hessians are inverted anew for every layer and sparsity, to save the memory.
_INVERSES_KEPT = 1024

#: Scores in, mask out (True is kept): how many may stay, and where.
Choose = Callable[[Tensor], Tensor]


class MaskSearch:
    """The search for one Hessian, whose inverses serve all layers and sparsities it is for."""

    def __init__(self, hessian: Tensor):
        """`hessian` is damped: positive definite."""
        self._scale = hessian.diagonal().sqrt()
        self._hessian = hessian / self._scale[:, None] / self._scale
        self._inverses: dict[float, Tensor] = {}

    def best_mask(
        self, weight: Tensor, choose: Choose, *, levels: int = LEVELS, rounds: int = ROUNDS
    ) -> tuple[Tensor, Tensor]:
        """The mask that costs least once `refit` has been over what stays, as far as found here.

        `choose` says what a mask may look like. The weights found with it are good to start a
        refit from.
        """
        target = weight.to(self._scale.dtype) * self._scale
        wanted = target @ self._hessian
        keep = choose(target.abs())
        sparse, doubt = target * keep, torch.zeros_like(target)
        growth = (_LAST_PENALTY / _FIRST_PENALTY) ** (1 / max(1, levels - 1))
        for level in range(levels):
            penalty = _FIRST_PENALTY * growth**level
            inverted = self._inverse(penalty)
            for _ in range(rounds):
                best = torch.add(wanted, sparse - doubt, alpha=penalty) @ inverted
                guess = doubt.add_(torch.lerp(sparse, best, _OVER_RELAXED))
                keep = choose(guess.abs())
                sparse = guess * keep
                doubt = guess - sparse
            doubt /= growth
        return keep, sparse / self._scale

    def _inverse(self, penalty: float) -> Tensor:
        """Of the Hessian under a penalty."""
        if penalty in self._inverses:
            return self._inverses[penalty]
        more = self._hessian.clone()
        more.diagonal().add_(penalty)
        inverted = inverse(more)
        if len(inverted) <= _INVERSES_KEPT:
            self._inverses[penalty] = inverted
        return inverted
