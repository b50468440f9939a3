"""Which variants are equally fast as far as anybody can tell, and which of those to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from bench.rows import Row
from tui.tradeoffs.axes import LATENCY, MEMORY, SIZE, WER, Axis
from tui.tradeoffs.difference import Measured
from tui.tradeoffs.lineage import DENSE

#: Sizes and memory within this share of the smallest are no reason to prefer one.
_SAME_SIZE, _SAME_MEMORY = 0.01, 0.05
_EXACTNESS = ("fp32", "fp16", "int8", "mixed", "int4")

#: What is left of some positions, by one criterion.
_Sieve = Callable[[Sequence[Row], Sequence[int]], list[int]]


def tied(rows: Sequence[Row], among: Sequence[int]) -> list[int]:
    """Those than which none is faster for certain: whose latency interval does not lie above that
    of another one. Without an interval the number itself stands for it.

    Of a chain in which each overlaps with the next the slow end is not among them, and one that is
    hardly known makes no slow one as fast as it may be. Where nothing was timed all of them are.
    """
    times = {at: _ends(found) for at in among if (found := Measured.of(LATENCY, rows[at]))}
    bound = min((high for _, high in times.values()), default=math.inf)
    return [at for at, (low, _) in times.items() if low <= bound] or list(among)


def _ends(found: Measured) -> tuple[float, float]:
    low, high = found.low, found.high
    return (found.value if low is None else low), (found.value if high is None else high)


def simplest(rows: Sequence[Row], among: Sequence[int]) -> tuple[int, str]:
    """The one to take of equally fast ones, and what sets it apart, to follow `it`.

    The smaller, then the simpler, then the more exact; the same one whatever their order.
    """
    left, reason = list(among), ""
    for sieve, says in _CRITERIA:
        kept = sieve(rows, left)
        if len(kept) < len(left):
            left, reason = kept, says
        if len(left) == 1:
            break
    return min(left, key=lambda at: _identity(rows[at])), reason or "comes first by its name"


def _least(axis: Axis, slack: float) -> _Sieve:
    def sieve(rows: Sequence[Row], among: Sequence[int]) -> list[int]:
        values = {at: value for at in among if (value := axis.value(rows[at])) is not None}
        if not values:
            return list(among)
        bound = min(values.values()) * (1 + slack)
        return [at for at, value in values.items() if value <= bound]

    return sieve


def _lowest(of: Callable[[Row], float]) -> _Sieve:
    def sieve(rows: Sequence[Row], among: Sequence[int]) -> list[int]:
        bound = min(of(rows[at]) for at in among)
        return [at for at in among if of(rows[at]) == bound]

    return sieve


def _inexactness(row: Row) -> float:
    known = row.precision in _EXACTNESS
    return _EXACTNESS.index(row.precision) if known else len(_EXACTNESS)


_CRITERIA: tuple[tuple[_Sieve, str], ...] = (
    (_least(SIZE, _SAME_SIZE), "is the smallest of them"),
    (_least(MEMORY, _SAME_MEMORY), "needs the least memory of them"),
    (_lowest(lambda row: row.method != DENSE), "is not pruned"),
    (_lowest(lambda row: row.threads or math.inf), "needs the fewest threads of them"),
    (_lowest(lambda row: len(row.settings)), "needs the fewest settings of them"),
    (_lowest(lambda row: WER.value(row) or 0.0), "has the lowest WER of them"),
    (_lowest(_inexactness), "has the most precise weights of them"),
)


def _identity(row: Row) -> tuple[str, ...]:
    return row.name, str(row.threads), row.settings, row.bundle_sha256 or "", row.measured_at
