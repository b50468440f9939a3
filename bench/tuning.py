"""Which settings suit a device: sensible ones are tried; the fastest that hears as well wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

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
    wer: float | None  # as a fraction, heard on the device
    tried: int


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
    """The fastest of those that hear about as well as the best one; None if all failed.

    About as well: its WER is within the 95 % interval of the most accurate case.
    """
    good = [found for found in measurements if found.error is None and found.latency]
    if not good:
        return None
    scores = [found.score for found in good if found.score]
    bound = min(scores, key=lambda score: float(score["wer"]))["wer_high"] if scores else None
    fit = [m for m in good if bound is None or (m.score and m.score["wer"] <= bound)]
    return _choice(min(fit, key=_seconds), good)


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


def _seconds(measurement: Measurement) -> float:
    assert measurement.latency
    return measurement.latency.median


def _choice(found: Measurement, among: Sequence[Measurement]) -> Choice:
    return Choice(
        case=found.case or found.name,
        bundle=found.name,
        settings=dict(found.settings),
        seconds=_seconds(found),
        wer=float(found.score["wer"]) if found.score else None,
        tried=len(among),
    )
