"""A long run in stretches: minute 1 and minute 30 rank devices differently."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable

from bench.agent.events import Reading
from bench.agent.latency import quantile
from bench.agent.ledger import Turn
from bench.agent.measurement import Stretch

#: Seconds of a stretch; a short run has ten of them.
LONGEST = 60.0


def stretches(turn: Turn, seconds: float) -> tuple[Stretch, ...]:
    """A run of about `seconds`; a sample belongs to the stretch in which it began."""
    if not turn.samples:
        return ()
    length = min(LONGEST, seconds / 10)
    mono, sample = turn.samples[0]
    begin = mono - sample.seconds
    heard, read = defaultdict(list), defaultdict(list)
    for mono, sample in turn.samples:
        heard[int((mono - sample.seconds - begin) / length)].append(sample.seconds)
    for mono, reading in turn.readings:
        read[int((mono - begin) // length)].append(reading)
    return tuple(
        Stretch(
            start_seconds=number * length,
            samples=len(heard[number]),
            median=statistics.median(heard[number]),
            p90=quantile(heard[number], 90),
            temperature=_median(read[number], lambda reading: reading.temperature),
            clock_mhz=_median(read[number], lambda reading: reading.clock_mhz),
        )
        for number in sorted(heard)
    )


def _median(readings: Iterable[Reading], value: Callable[[Reading], float | None]) -> float | None:
    told = [found for reading in readings if (found := value(reading)) is not None]
    return statistics.median(told) if told else None
