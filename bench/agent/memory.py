"""How much memory this process holds: its peak so far, its fair share right now, and its swap.

The peak (VmHWM) catches short spikes but counts shared pages in full; PSS divides shared pages
among those who map them but is only a snapshot. Neither alone is the truth, so both are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speech.records import Bytes


@dataclass(frozen=True)
class MemoryReading:
    """Bytes; None where the system does not say."""

    peak_bytes: Bytes | None
    pss_bytes: Bytes | None
    swap_bytes: Bytes | None = None


def read_memory() -> MemoryReading:
    """This process, now. On Linux `ru_maxrss` would inherit the parent's peak, VmHWM does not."""
    if sys.platform == "darwin":  # where ru_maxrss is in bytes
        import resource

        return MemoryReading(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, None)
    status = _text(Path("/proc/self/status"))
    return MemoryReading(
        kilobyte_field(status, "VmHWM"),
        kilobyte_field(_text(Path("/proc/self/smaps_rollup")), "Pss"),
        kilobyte_field(status, "VmSwap"),
    )


def largest(readings: Iterable[MemoryReading]) -> MemoryReading:
    """Of several processes at the same moment of their lives, each figure's largest."""
    found = tuple(readings)
    return MemoryReading(
        _largest(reading.peak_bytes for reading in found),
        _largest(reading.pss_bytes for reading in found),
        _largest(reading.swap_bytes for reading in found),
    )


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def kilobyte_field(text: str, key: str) -> int | None:
    """Bytes of a `Key:   123 kB` line in a /proc text; None where the key is absent."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        number = value.removesuffix("kB").strip()
        if name == key and number.isdigit():
            return int(number) * 1024
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
