"""Whether two measured numbers really differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.rows import Row
from tui.tradeoffs.axes import Axis


@dataclass(frozen=True)
class Measured:
    """A number and its 95 % interval; without one nobody knows how sure it is."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, axis: Axis, row: Row) -> Measured | None:
        value = axis.value(row)
        if value is None:
            return None
        interval = axis.interval(row)
        if interval is None:
            return cls(value)
        return cls(value, min(interval[0], value), max(interval[1], value))

    @classmethod
    def exact(cls, value: float) -> Measured:
        """For what is counted, such as bytes."""
        return cls(value, value, value)


@dataclass(frozen=True)
class Difference:
    """One number less another, and the 95 % interval of that, where both had one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_real(self) -> bool | None:
        """Whether the interval leaves out zero; None where there is none."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0


def difference(one: Measured, other: Measured) -> Difference:
    """Of numbers measured apart from each other.

    The ends are those of the method of variance estimates recovery (Zou and Donner, 2008), which
    takes lopsided intervals as they are. For two variants heard on the same clips it is cautious:
    what it calls real is.
    """
    value = one.value - other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Difference(value)
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Difference(value, value - down, value + up)


def alike(one: Row, other: Row, axis: Axis) -> bool:
    """Whether nobody can tell them apart on this axis; without intervals only equal numbers are."""
    first, second = Measured.of(axis, one), Measured.of(axis, other)
    if first is None or second is None:
        return False
    found = difference(first, second)
    return found.value == 0 if found.is_real is None else not found.is_real
