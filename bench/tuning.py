"""Which settings suit a device: sensible ones are tried; the fastest of the lowest WER wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil
from typing import Any

from bench.agent.measurement import Measurement
from runtime.settings import Settings

#: Threads worth trying on what has four cores at most, or four fast ones.
THREADS = (1, 2, 4)


@dataclass(frozen=True)
class Choice:
    """The best case, and what it was chosen from."""

    case: str
    bundle: str
    settings: dict[str, object]
    seconds: float  # median per clip
    wer: float | None  # as a fraction, of the device's transcripts
    tried: int
    tied: int = 1  # with how many, itself among them, it shares its speed: their intervals overlap


def settings_to_try(longest_clip: float | None) -> list[Settings]:
    """Threads, spinning where there are several, and a window that just holds the longest clip.

    Without a length no window is tried: what is not padded anyway gains nothing by one.
    """
    windows = [None] if longest_clip is None else [None, float(ceil(longest_clip) + 1)]
    return [
        Settings(threads=count, spinning=spinning, window=window)
        for count, spinning, window in product(THREADS, (False, True), windows)
        if count > 1 or not spinning
    ]


def best(measurements: Iterable[Measurement]) -> Choice | None:
    """The fastest of those whose WER is about that of the best one; None if all failed.

    About: within the 95 % interval of the most accurate case. Of those than which none is faster
    for certain, the smaller and simpler is taken.
    """
    good = [found for found in measurements if found.error is None and found.latency]
    if not good:
        return None
    scores = [found.score for found in good if found.score]
    bound = min(scores, key=lambda score: float(score["wer"]))["wer_high"] if scores else None
    fit = [m for m in good if bound is None or (m.score and m.score["wer"] <= bound)]
    ends = [(found, *_interval(found)) for found in fit]
    bound = min(high for _, _, high in ends)
    fastest = [found for found, low, _ in ends if low <= bound]
    return _choice(min(fastest, key=_effort), good, len(fastest))


def marked(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The same, with the best one's environment saying of how many it is the best."""
    choice = best(measurements)
    if choice is None:
        return list(measurements)
    mark = {"best_of": choice.tried}
    return [
        replace(found, environment={**found.environment, **mark})
        if found.case == choice.case
        else found
        for found in measurements
    ]


def _interval(measurement: Measurement) -> tuple[float, float]:
    """Of the median; too few samples for one leave the median itself."""
    found = measurement.latency
    assert found
    low, high = found.median_low, found.median_high
    return (found.median if low is None else low), (found.median if high is None else high)


def _effort(found: Measurement) -> tuple[Any, ...]:
    """Bytes, then threads, then what is not as by default; the same one whatever their order."""
    settings = found.settings
    wer = float(found.score["wer"]) if found.score else 0.0
    unusual = (bool(settings.get("spinning")), settings.get("window") is not None)
    return (found.device_bytes or 0, found.threads, *unusual, wer, found.case or found.name)


def _choice(found: Measurement, among: Sequence[Measurement], tied: int) -> Choice:
    assert found.latency
    return Choice(
        case=found.case or found.name,
        bundle=found.name,
        settings=dict(found.settings),
        seconds=found.latency.median,
        wer=float(found.score["wer"]) if found.score else None,
        tried=len(among),
        tied=tied,
    )
