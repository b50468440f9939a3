"""The Pareto front: what nothing else beats in every respect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.rows import Row
from tui.tradeoffs.axes import Axis, Point


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """At least as low in every number and lower in one."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def pareto_front(costs: Sequence[Sequence[float]] | NDArray[np.float64]) -> list[int]:
    """Positions of the points that no point dominates, by rising numbers, the first one first.

    Lower is better in each. Equal points stand or fall together; a point with a NaN never stands.
    """
    table = np.asarray(costs, dtype=np.float64)
    if table.size == 0:
        return []
    known = np.flatnonzero(~np.isnan(table).any(axis=1))
    order = known[np.lexsort(table[known].T[::-1])]
    unbeaten = _of_two if table.shape[1] == 2 else _of_many
    return [int(at) for at in order[unbeaten(table[order])]]


def _of_two(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of sorted points: those lower in the second number than all before, and their equals."""
    if not len(points):
        return np.zeros(0, dtype=bool)
    second = points[:, 1]
    before = np.concatenate(([np.inf], np.minimum.accumulate(second)[:-1]))
    first_of_equals = np.concatenate(([True], (points[1:] != points[:-1]).any(axis=1)))
    stands = (second < before) | ((np.arange(len(points)) == 0) & first_of_equals)
    group = np.cumsum(first_of_equals) - 1
    return np.asarray(stands[first_of_equals][group])


def _of_many(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Sorted points are dominated only by earlier ones, and by one that stands if by any."""
    stands = np.zeros(len(points), dtype=bool)
    for at, point in enumerate(points):
        kept = points[:at][stands[:at]]
        beaten = ((kept <= point).all(axis=1) & (kept < point).any(axis=1)).any()
        stands[at] = not beaten
    return stands


def located(rows: Sequence[Row], x: Axis, y: Axis) -> dict[int, Point]:
    """The rows (by position) that have both numbers, in the axes' own units."""
    points: dict[int, Point] = {}
    for position, row in enumerate(rows):
        first, second = x.value(row), y.value(row)
        if first is not None and second is not None:
            points[position] = (first, second)
    return points


def worth_keeping(points: Mapping[int, Point], x: Axis, y: Axis) -> list[int]:
    """The positions on the Pareto front, each axis counted in its own good direction."""
    positions = list(points)
    signs = (1 if x.lower_is_better else -1, 1 if y.lower_is_better else -1)
    costs = [(points[at][0] * signs[0], points[at][1] * signs[1]) for at in positions]
    return [positions[at] for at in pareto_front(costs)]
