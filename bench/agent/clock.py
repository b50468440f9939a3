"""When something happened: the wall clock for people, the monotonic one for order and durations.

A Pi has no battery behind its clock: after a boot it jumps by hours as soon as the network is up.
So nothing is ever computed from `at`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated

from speech.records import Length, Name, Range

#: UTC, ISO 8601; empty where nobody noted it.
Moment = Annotated[str, Length(64)]

#: Counts on while the machine sleeps, where the system has such a clock.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class Stamp:
    """The moment of an event, and the boot in which `mono` counts."""

    at: Moment  # with milliseconds
    mono: Annotated[float, Range(0, 1e10)]  # seconds since some moment of this boot
    boot: Name


def stamp_now() -> Stamp:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Stamp(at, round(time.clock_gettime(_CLOCK), 6), boot_id())


@cache
def boot_id() -> str:
    """Another one after every boot; empty where the system does not say."""
    if sys.platform == "darwin":
        return _sysctl("kern.bootsessionuuid")
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    import subprocess  # Imported here: Linux never needs it.

    try:
        found = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
