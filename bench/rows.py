"""One line of a comparison: what the manifest claims beside what was measured, in units to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.agent.measurement import Measurement

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Row:
    """None where nothing was measured; never a stand-in number."""

    name: str
    family: str = ""
    method: str = ""
    requested_percent: float | None = None  # zeros asked for, of the prunable weights
    achieved_percent: float | None = None  # zeros found, of the prunable weights
    wer: float | None = None  # percent, measured on the host
    wer_low: float | None = None  # percent, 95 % interval
    wer_high: float | None = None
    cer: float | None = None  # percent
    size_mib: float | None = None  # the files a device needs
    latency_ms: float | None = None  # median over every sample
    real_time_factor: float | None = None
    memory_mib: float | None = None  # peak resident memory of the measuring process
    samples: int = 0
    problem: str | None = None  # why numbers are missing, or not to be trusted


def rows_from(measurements: Iterable[Measurement]) -> list[Row]:
    """In the order given; a failed measurement keeps its row, with the reason in `problem`."""
    return [_row(measurement) for measurement in measurements]


def _row(measurement: Measurement) -> Row:
    variant, latency = measurement.variant, measurement.latency
    score = variant.score if variant and variant.score else {}
    return Row(
        name=measurement.name,
        family=variant.family if variant else "",
        method=variant.method if variant else "",
        requested_percent=_scaled(variant.requested_sparsity, 100) if variant else None,
        achieved_percent=_scaled(variant.achieved_sparsity, 100) if variant else None,
        wer=_percent(score, "wer"),
        wer_low=_percent(score, "wer_low"),
        wer_high=_percent(score, "wer_high"),
        cer=_percent(score, "cer"),
        size_mib=_scaled(measurement.device_bytes, 1 / MEBIBYTE),
        latency_ms=_scaled(latency.median, 1000) if latency else None,
        real_time_factor=measurement.real_time_factor,
        memory_mib=_scaled(measurement.peak_bytes, 1 / MEBIBYTE),
        samples=latency.count if latency else 0,
        problem=measurement.error or _leak(measurement),
    )


def _leak(measurement: Measurement) -> str | None:
    if not measurement.loaded_forbidden:
        return None
    names = ", ".join(measurement.loaded_forbidden)
    return f"{names} was loaded while measuring: memory and start-up are not a device's."


def _percent(score: Mapping[str, Any], key: str) -> float | None:
    """Scores are stored as fractions; other versions may lack a key."""
    value = score.get(key)
    return 100 * value if isinstance(value, int | float) else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
