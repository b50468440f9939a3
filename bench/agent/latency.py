"""Many samples into few numbers, without claiming more than the samples can carry."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from speech.records import Count, Range, Seconds

# Below these counts fewer than six samples or so lie beyond the quantile: too few to place it.
ENOUGH_FOR = {90: 64, 95: 130, 99: 662}

#: Seconds that were computed of several, so that there is no clock to tell the least of them.
Spread = Annotated[float, Range(0)]


@dataclass(frozen=True)
class Latency:
    """Seconds per transcription; a quantile is None below the count that supports it."""

    count: Count
    median: Seconds
    mean: Seconds
    sd: Spread | None  # needs two samples
    p90: Seconds | None
    p95: Seconds | None
    p99: Seconds | None
    median_low: Spread | None = None  # 95 % interval of the median, from six samples of a clip on
    median_high: Spread | None = None


def summarise(seconds: Sequence[float]) -> Latency:
    """At least one sample is needed."""
    return Latency(
        count=len(seconds),
        median=statistics.median(seconds),
        mean=statistics.fmean(seconds),
        sd=statistics.stdev(seconds) if len(seconds) > 1 else None,
        p90=quantile(seconds, 90),
        p95=quantile(seconds, 95),
        p99=quantile(seconds, 99),
    )


def quantile(seconds: Sequence[float], percent: int) -> float | None:
    """The nearest-rank quantile (always a value that was seen), or None with too few samples."""
    if len(seconds) < ENOUGH_FOR[percent]:
        return None
    rank = math.ceil(percent * len(seconds) / 100)
    return sorted(seconds)[rank - 1]
