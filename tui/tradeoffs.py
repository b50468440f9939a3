"""What is worth keeping: which variants no other variant beats. Pure functions over numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.rows import Row

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """A quantity a plot can show; None where a variant has no such number."""

    key: str
    label: str  # with its unit
    value: Callable[[Row], float | None]
    lower_is_better: bool = True


X_AXES = (
    Axis("sparsity", "zeros, % of prunable weights", lambda row: row.achieved_percent, False),
    Axis("latency", "median latency, ms", lambda row: row.latency_ms),
    Axis("size", "size on the device, MiB", lambda row: row.size_mib),
    Axis("memory", "peak memory, MiB", lambda row: row.memory_mib),
)
Y_AXES = (
    Axis("wer", "WER, %", lambda row: row.wer),
    Axis("cer", "CER, %", lambda row: row.cer),
)


def dominates(one: Point, other: Point) -> bool:
    """At least as low in both numbers and lower in one."""
    return one[0] <= other[0] and one[1] <= other[1] and one != other


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Positions of the points that no point dominates, by rising first number.

    Lower is better in both. Equal points stand or fall together.
    """
    order = sorted(range(len(points)), key=lambda position: points[position])
    front: list[int] = []
    lowest = float("inf")
    for position in order:
        second = points[position][1]
        repeats = front and points[position] == points[front[-1]]
        if second < lowest or repeats:
            front.append(position)
            lowest = second
    return front


def located(rows: Sequence[Row], x: Axis, y: Axis) -> dict[int, Point]:
    """The rows (by position) that have both numbers, in the axes' own units."""
    points: dict[int, Point] = {}
    for position, row in enumerate(rows):
        first, second = x.value(row), y.value(row)
        if first is not None and second is not None:
            points[position] = (first, second)
    return points


def worth_keeping(points: dict[int, Point], x: Axis, y: Axis) -> list[int]:
    """The positions on the Pareto front, each axis counted in its own good direction."""
    positions = list(points)
    signs = (1 if x.lower_is_better else -1, 1 if y.lower_is_better else -1)
    costs = [(points[at][0] * signs[0], points[at][1] * signs[1]) for at in positions]
    return [positions[at] for at in pareto_front(costs)]


def following(axes: Sequence[Axis], current: Axis) -> Axis:
    """The next axis, and the first again after the last."""
    return axes[(list(axes).index(current) + 1) % len(axes)]


def padded(values: Sequence[float]) -> tuple[float, float]:
    """Limits that leave a margin round the values, so that no mark lies on the frame."""
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or max(abs(low) * 0.1, 1.0)
    return low - margin, high + margin


def round_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between the limits, `at_most` so many."""
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < at_most:
            break
    return [multiple * step for multiple in range(first, last + 1)]
