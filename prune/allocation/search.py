"""Sparsities by predicted damage: zeros go where the sum over all layers grows least.

Each layer's damage is known at some sparsities and straight between them. Its lower convex hull is
cut into pieces with one slope each, damage per zero, and the cheapest pieces of all layers are
taken until the total is reached.

For convex curves no other choice of whole numbers has a smaller sum. For others the problem is a
knapsack, and this is its convex relaxation: every layer but one ends where its hull touches its
curve, so the sum exceeds the smallest possible by no more than the greatest gap between one
layer's curve and its hull.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from prune.allocation.budget import Counts, bounds
from speech.errors import BadInput


class Point(NamedTuple):
    """Damage with so many zeros."""

    zeros: int
    damage: float


def search(
    curves: Mapping[str, Sequence[float]],
    sizes: Counts,
    total: int,
    *,
    grid: Sequence[float],
    floors: Counts | None = None,
    ceilings: Counts | None = None,
) -> dict[str, int]:
    """Zeros for each layer with the least summed damage (exactly so if the curves are convex).

    `curves` gives each layer's damage at the sparsities of `grid`, which rise from 0 on; a layer
    gets no more zeros than the last of them. Damages must be in one unit: what is added up is taken
    as it comes, for instance each layer's share of the loss.
    """
    _refuse_unusable(curves, sizes, grid)
    least, most = bounds(sizes, total, floors, _within_grid(sizes, grid, floors, ceilings))
    pieces: list[tuple[float, str, int]] = []
    for name, size in sizes.items():
        hull = lower_hull(_points(curves[name], grid, size, least[name], most[name]))
        for start, end in pairwise(hull):
            length = end.zeros - start.zeros
            pieces.append(((end.damage - start.damage) / length, name, length))
    zeros = dict(least)
    missing = total - sum(least.values())
    for _, name, length in sorted(pieces, key=lambda piece: piece[0]):
        taken = min(length, missing)
        zeros[name] += taken
        missing -= taken
    return zeros


def lower_hull(points: Sequence[Point]) -> list[Point]:
    """The corners of the convex line under the points, which come by rising number of zeros."""
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and _is_above(hull[-1], hull[-2], point):
            hull.pop()
        hull.append(point)
    return hull


def _is_above(middle: Point, left: Point, right: Point) -> bool:
    """Whether the middle point lies on or above the straight line between the others."""
    rise = (middle.damage - left.damage) * (right.zeros - left.zeros)
    return rise >= (right.damage - left.damage) * (middle.zeros - left.zeros)


def _points(
    curve: Sequence[float], grid: Sequence[float], size: int, least: int, most: int
) -> list[Point]:
    """The damage at the whole numbers of zeros next to every bend, from the fewest to the most."""
    bends = {step for share in grid for step in (math.floor(share * size), math.ceil(share * size))}
    zeros = sorted({least, most} | {bend for bend in bends if least < bend < most})
    damage = np.interp([count / size for count in zeros], grid, curve)
    return [Point(count, float(at)) for count, at in zip(zeros, damage, strict=True)]


def _within_grid(
    sizes: Counts, grid: Sequence[float], floors: Counts | None, ceilings: Counts | None
) -> dict[str, int]:
    """Ceilings no higher than the grid reaches, save for layers that have more zeros already."""
    most = {}
    for name, size in sizes.items():
        known = min((ceilings or sizes)[name], math.floor(size * grid[-1]))
        most[name] = max(known, (floors or {}).get(name, 0))
    return most


def _refuse_unusable(
    curves: Mapping[str, Sequence[float]], sizes: Counts, grid: Sequence[float]
) -> None:
    rising = all(low < high for low, high in pairwise(grid))
    if not (rising and len(grid) > 1 and grid[0] == 0 and grid[-1] <= 1):
        raise BadInput("The sparsities of a search must rise from 0 to at most 1: mend its grid.")
    for name in sizes:
        if len(curves[name]) != len(grid):
            raise BadInput(
                f"{name} has {len(curves[name])} damages for {len(grid)} sparsities: give one each."
            )
        if not all(map(math.isfinite, curves[name])):
            raise BadInput(f"{name} has a damage that is not a finite number: measure it again.")
