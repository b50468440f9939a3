"""How well a median is known: its 95 % interval, without assuming how the samples spread.

Clips differ in length, so each sample is taken as a share of the median of its clip; what is left
is the spread of the measuring itself.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: With fewer, even the whole range covers the median less often than in 95 of 100 cases.
FEWEST = 6
#: Beyond, the exact sum takes long and changes nothing.
_MANY = 1000


@dataclass(frozen=True)
class Interval:
    """Ends as shares of the median: 0.98 and 1.03 are 2 % below and 3 % above."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def median_interval(timed: Iterable[tuple[int, float]]) -> Interval | None:
    """From (clip, seconds) pairs; None with too few of them to say.

    A clip that was heard once says nothing of the spread and is left out.
    """
    by_clip: dict[int, list[float]] = defaultdict(list)
    for clip, seconds in timed:
        by_clip[clip].append(seconds)
    shares: list[float] = []
    for heard in by_clip.values():
        middle = statistics.median(heard)
        if len(heard) > 1 and middle > 0:
            shares += [seconds / middle for seconds in heard]
    return _of_median(sorted(shares)) if len(shares) >= FEWEST else None


def _of_median(values: Sequence[float]) -> Interval:
    rank = _rank(len(values))
    return Interval(values[rank], values[-1 - rank])


def _rank(count: int) -> int:
    """How many of the smallest and largest values lie outside the interval.

    The true median has k or fewer samples on one side as often as fair throws show k heads or
    fewer; many throws are normal.
    """
    if count > _MANY:
        return int(count / 2 - 0.98 * math.sqrt(count))
    k, outside = 0, 1 / 2**count
    while 2 * outside <= 0.05:
        k += 1
        outside += math.comb(count, k) / 2**count
    return k - 1
