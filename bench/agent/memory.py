"""How much memory this process holds: its peak so far, and its fair share right now.

The peak (VmHWM) catches short spikes but counts shared pages in full; PSS divides shared pages
among those who map them but is only a snapshot. Neither alone is the truth, so both are kept.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MemoryReading:
    """Bytes; None where the system does not say."""

    peak_bytes: int | None
    pss_bytes: int | None


def read_memory() -> MemoryReading:
    """This process, now. On Linux `ru_maxrss` would inherit the parent's peak, VmHWM does not."""
    if sys.platform == "darwin":
        import resource

        return MemoryReading(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, None)
    return MemoryReading(
        kilobyte_field(_text(Path("/proc/self/status")), "VmHWM"),
        kilobyte_field(_text(Path("/proc/self/smaps_rollup")), "Pss"),
    )


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
