"""Reads the texts in which Linux and macOS describe the machine, and hands them to the parsers.

Apart from `probe`, so that a measuring process can name its machine without the profiles' parser.
"""

from __future__ import annotations

import os
import platform
import struct
import sys
from pathlib import Path

from device_profiles.machine import Machine, linux_machine, macos_machine


def this_machine() -> Machine:
    """The facts of the machine this runs on; fields that cannot be read stay empty or 0."""
    if sys.platform == "darwin":
        return macos_machine(_sysctl(), architecture=platform.machine())
    return linux_machine(
        cpuinfo=_text(Path("/proc/cpuinfo")),
        meminfo=_text(Path("/proc/meminfo")),
        device_tree_model=_text(Path("/proc/device-tree/model")),
        architecture=platform.machine(),
        pointer_bits=8 * struct.calcsize("P"),
        page_kb=os.sysconf("SC_PAGE_SIZE") // 1024,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl() -> str:
    import subprocess  # Imported here: Linux never needs it.

    try:
        finished = subprocess.run(
            ["/usr/sbin/sysctl", "hw", "machdep.cpu"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout
