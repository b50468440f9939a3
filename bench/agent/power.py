"""Energy of a board that tells its watts, a few times a second at best."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.agent.ledger import Turn


def mean_watts(turns: Sequence[Turn]) -> float | None:
    """Over the time in which warm samples were taken; None without two readings in it."""
    joules = seconds = 0.0
    for turn in turns:
        for (before, first), (after, last) in pairwise(_during_samples(turn)):
            joules += (after - before) * (first + last) / 2
            seconds += after - before
    return joules / seconds if seconds > 0 else None


def joules_per_clip(turns: Sequence[Turn]) -> float | None:
    """Of the whole board, for as long as a mean clip takes."""
    watts = mean_watts(turns)
    seconds = [sample.seconds for turn in turns for _, sample in turn.samples]
    return None if watts is None or not seconds else watts * sum(seconds) / len(seconds)


def _during_samples(turn: Turn) -> list[tuple[float, float]]:
    """(moment, watts) from the first warm sample's beginning to the turn's end."""
    if not turn.samples:
        return []
    mono, sample = turn.samples[0]
    begin = mono - sample.seconds
    told = [(moment, reading.watts) for moment, reading in turn.readings]
    return [(at, watts) for at, watts in told if watts is not None and begin <= at <= turn.ended]
