"""How many zeros a model gets in all, and wishes for its layers made to add up to exactly that."""

import math
from collections.abc import Mapping

from torch import Tensor

from prune.reach import OutOfReach
from speech.errors import BadInput

Counts = Mapping[str, int]


def target(sparsity: float, sizes: Counts) -> int:
    """Zeros that a sparsity asks of layers of these sizes together."""
    if not 0 <= sparsity <= 1:
        raise BadInput(f"sparsity {sparsity} is not between 0 and 1.")
    return round(sparsity * sum(sizes.values()))


def sizes_of(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Numbers in each layer's tensor."""
    return {name: tensor.numel() for name, tensor in tensors.items()}


def zeros_in(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Weights of each layer that are zero already: the floors of a model pruned before."""
    return {name: int((weight == 0).sum()) for name, weight in weights.items()}


def uniform(
    sizes: Counts, total: int, *, floors: Counts | None = None, ceilings: Counts | None = None
) -> dict[str, int]:
    """The same sparsity in every layer, to the nearest weight."""
    return fit(sizes, dict.fromkeys(sizes, 0.0), total, floors=floors, ceilings=ceilings)


def fit(
    sizes: Counts,
    wished: Mapping[str, float],
    total: int,
    *,
    floors: Counts | None = None,
    ceilings: Counts | None = None,
) -> dict[str, int]:
    """Zeros for each layer, as near to the wished sparsities as the exact total allows.

    All wishes are moved by the same amount of sparsity, so only the differences between them
    count; a layer whose floor or ceiling (in zeros) stops it stays there and the others move on.
    """
    least, most = bounds(sizes, total, floors, ceilings)
    for name in sizes:
        if not math.isfinite(wished[name]):
            raise BadInput(f"{name} is to have the sparsity {wished[name]}: give it a number.")

    def moved(shift: float) -> dict[str, float]:
        return {
            name: min(max(size * (wished[name] + shift), least[name]), most[name])
            for name, size in sizes.items()
        }

    low = -1 - max(wished.values())
    high = 1 - min(wished.values())
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if sum(moved(middle).values()) < total:
            low = middle
        else:
            high = middle
    return _whole(moved(high), total, most)


def bounds(
    sizes: Counts, total: int, floors: Counts | None, ceilings: Counts | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Fewest and most zeros of each layer; raises for a total that is not between their sums."""
    least = {name: (floors or {}).get(name, 0) for name in sizes}
    most = {name: (ceilings or {}).get(name, size) for name, size in sizes.items()}
    for name, size in sizes.items():
        if not 0 <= least[name] <= most[name] <= size:
            raise BadInput(
                f"{name} has {size} weights and cannot have between {least[name]} and "
                f"{most[name]} zeros: mend its bounds."
            )
    whole, fewest, maximum = sum(sizes.values()), sum(least.values()), sum(most.values())
    if not whole:
        raise BadInput("There are no weights to prune: select at least one layer.")
    if not fewest <= total <= maximum:
        why = "the zeros that are there and the layers' ceilings"
        refuse_unreachable(total, whole, fewest, maximum, why)
    return least, most


def refuse_unreachable(total: int, whole: int, fewest: int, most: int, why: str) -> None:
    """Raise for a total that cannot be reached, naming what sets the limits and the nearest one."""
    low, high = (_shortest(limit, whole, fewest, most) for limit in (fewest, most))
    near = low if total < fewest else high
    raise OutOfReach(
        f"sparsity {total / whole:.4g} cannot be reached: {why} allow "
        f"{low} to {high}, so ask for {near}."
    )


def _shortest(limit: int, whole: int, fewest: int, most: int) -> float:
    """A limit as a sparsity of few digits that can indeed be asked for."""
    shares = (round(limit / whole, digits) for digits in range(3, 18))
    return next(share for share in shares if fewest <= round(share * whole) <= most)


def _whole(shares: Mapping[str, float], total: int, most: Counts) -> dict[str, int]:
    """Whole numbers next to the shares that add up to the total; the largest remainders go up."""
    zeros = {name: math.floor(share) for name, share in shares.items()}
    missing = total - sum(zeros.values())
    by_remainder = sorted(shares, key=lambda name: zeros[name] - shares[name])
    while missing > 0:
        for name in by_remainder:
            if missing > 0 and zeros[name] < most[name]:
                zeros[name] += 1
                missing -= 1
    return zeros
