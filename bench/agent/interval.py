"""How well a median is known: its 95 % interval, without assuming how the samples spread.

Clips differ in length, so each sample is taken as a share of the median of its clip; what is left
is the spread of the measuring itself.

What befalls a process befalls all its samples: a machine is slow for seconds at a time. So the
interval is never narrower than what the medians of the processes say of theirs.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

#: Half an interval's width, as a share of the median, that two variants are still told apart by.
_TOO_WIDE = 0.05
#: With fewer, even the whole range covers the median less often than in 95 of 100 cases.
FEWEST = 6
#: Beyond, the exact sum takes long and changes nothing.
_MANY = 1000


@dataclass(frozen=True)
class Interval:
    """Ends as shares of the median: 0.98 and 1.03 are 2 % below and 3 % above."""

    low: float
    high: float
    #: Half of the width if no process were slower than another.
    alone: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def is_wide(self, tightness: float) -> bool:
        """Too wide for a plan that asks for so much."""
        return self.half_width > max(tightness, _TOO_WIDE)


def median_interval(turns: Iterable[Sequence[tuple[int, float]]]) -> Interval | None:
    """From (clip, seconds) pairs by the process that took them; None with too few to say.

    A clip that was heard once says nothing of the spread and is left out.
    """
    turns = list(turns)
    by_clip: dict[int, list[float]] = defaultdict(list)
    for clip, seconds in chain.from_iterable(turns):
        by_clip[clip].append(seconds)
    usual = {c: statistics.median(heard) for c, heard in by_clip.items() if len(heard) > 1}
    shares = [[s / usual[clip] for clip, s in turn if usual.get(clip)] for turn in turns]
    every = list(chain.from_iterable(shares))
    if len(every) < FEWEST:
        return None
    low, high = _of_median(every)
    least, most = _of_median([statistics.median(turn) for turn in shares if turn])
    return Interval(min(low, least), max(high, most), (high - low) / 2)


def _of_median(values: Sequence[float]) -> tuple[float, float]:
    """The whole range, where there are too few for less."""
    rank = max(0, _rank(len(values)))
    ranked = sorted(values)
    return ranked[rank], ranked[-1 - rank]


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
