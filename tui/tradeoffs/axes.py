"""The quantities that variants are compared by, each with its unit and its good direction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.rows import Row

Point = tuple[float, float]
Bounds = tuple[float | None, float | None]


def finite(value: float | None) -> float | None:
    """None for what is no number to plot or sort by, such as a NaN of a damaged store."""
    return value if value is not None and math.isfinite(value) else None


def _unknown(row: Row) -> Bounds:
    return (None, None)


@dataclass(frozen=True)
class Axis:
    """A quantity a plot can show; None where a variant has no such number."""

    key: str
    label: str  # with its unit
    read: Callable[[Row], float | None]
    lower_is_better: bool = True
    #: The ends of its 95 % interval.
    bounds: Callable[[Row], Bounds] = _unknown

    def value(self, row: Row) -> float | None:
        value = self.read(row)  # as `finite`, which is called for hundreds of thousands of rows
        return value if value is not None and math.isfinite(value) else None

    def interval(self, row: Row) -> tuple[float, float] | None:
        low, high = map(finite, self.bounds(row))
        return None if low is None or high is None else (low, high)


SPARSITY = Axis("sparsity", "zeros, % of prunable weights", lambda row: row.achieved_percent, False)
LATENCY = Axis(
    "latency",
    "median latency, ms",
    lambda row: row.latency_ms,
    bounds=lambda row: (row.latency_low_ms, row.latency_high_ms),
)
SIZE = Axis("size", "size on the device, MiB", lambda row: row.size_mib)
MEMORY = Axis("memory", "peak memory, MiB", lambda row: row.memory_mib)
ENERGY = Axis("energy", "energy a clip, J", lambda row: row.joules_per_clip)
WER = Axis("wer", "WER, %", lambda row: row.wer, bounds=lambda row: (row.wer_low, row.wer_high))
CER = Axis("cer", "CER, %", lambda row: row.cer)
DEVICE_WER = Axis(
    "wer-there",
    "WER on the device, %",
    lambda row: row.device_wer,
    bounds=lambda row: (row.device_wer_low, row.device_wer_high),
)
RTF = Axis("rtf", "RTF", lambda row: row.real_time_factor)

X_AXES = (SPARSITY, LATENCY, SIZE, MEMORY, ENERGY)
Y_AXES = (WER, CER)
ALL_AXES = (*X_AXES, *Y_AXES, RTF)

Item = TypeVar("Item")


def following(items: Sequence[Item], current: Item) -> Item:
    """The next one, and the first again after the last."""
    return items[(list(items).index(current) + 1) % len(items)]
