"""Which weights of a layer to keep, when those that stay will make up for those that go.

Choosing the mask V ≠ 0 that minimises tr (W - V) H (W - V)ᵀ is combinatorial. Alternating
directions split it in two that are easy: the best weights near a sparse guess (a linear solve, the
same for all rows), and the sparsest guess near given weights (keep the largest). A growing penalty
draws the two together until the mask no longer changes.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from prune.linear_algebra import eigen

#: Rounds of the two steps, and the penalty in the first and the last of them, as shares of the
#: Hessian's diagonal. Fewer rounds are cheaper and lose a little.
ROUNDS = 60
_FIRST_PENALTY, _LAST_PENALTY = 0.05, 15.0

#: Scores in, mask out (True is kept): how many may stay, and where.
Choose = Callable[[Tensor], Tensor]


class MaskSearch:
    """The search for one Hessian, whose eigenvectors serve all layers and sparsities it is for."""

    def __init__(self, hessian: Tensor):
        """`hessian` is damped: positive definite."""
        self._scale = hessian.diagonal().sqrt()
        self._values, self._vectors = eigen(hessian / self._scale[:, None] / self._scale)

    def best_mask(
        self, weight: Tensor, choose: Choose, *, rounds: int = ROUNDS
    ) -> tuple[Tensor, Tensor]:
        """The mask that costs least once `refit` has been over what stays, as far as found here.

        `choose` says what a mask may look like. The weights found with it are good to start a
        refit from.
        """
        target = weight.to(self._scale.dtype) * self._scale
        wanted = target @ self._vectors * self._values
        keep = choose(target.abs())
        sparse, doubt = target * keep, torch.zeros_like(target)
        growth = math.exp(math.log(_LAST_PENALTY / _FIRST_PENALTY) / max(1, rounds - 1))
        penalty = _FIRST_PENALTY
        for _ in range(rounds):
            near = (sparse - doubt) @ self._vectors
            pulled = near.mul_(penalty).add_(wanted).div_(self._values + penalty)
            guess = torch.addmm(doubt, pulled, self._vectors.T)
            keep = choose(guess.abs())
            sparse = guess * keep
            doubt = (guess - sparse) / growth
            penalty *= growth
        return keep, sparse / self._scale
