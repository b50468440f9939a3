"""What a device says of itself, to its bare python3, before anything is installed there.

Sent on standard input; writes one JSON object. Only the standard library, and nothing newer than
Python 3.7, so that an old one can still say that it is too old.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

THERMAL = Path("/sys/class/thermal")


def probe() -> dict[str, Any]:
    """Null for what the system does not say."""
    cache = Path(os.environ.get("SECATEUR_CACHE") or Path.home() / ".cache" / "secateur")
    memory = meminfo()
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "pointer_bits": 8 * struct.calcsize("P"),
        "model": text("/proc/device-tree/model") or sysctl("hw.model"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "has_venv": importlib.util.find_spec("venv") is not None,
        "has_ensurepip": importlib.util.find_spec("ensurepip") is not None,
        "glibc": platform.libc_ver()[1] or None,
        "macos": platform.mac_ver()[0] or None,
        "cache": str(cache),
        "cache_writable": os.access(existing(cache), os.W_OK | os.X_OK),
        "environments": [ready.parent.name for ready in cache.glob("env-*/ready.json")],
        "disk_free_mb": shutil.disk_usage(existing(cache)).free >> 20,
        "memory_mb": memory.get("MemTotal") or bytes_in_mb(sysctl("hw.memsize")),
        "memory_free_mb": memory.get("MemAvailable"),
        "page_kb": os.sysconf("SC_PAGE_SIZE") >> 10,
        "memory_cgroup": memory_cgroup(),
        "governor": text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "temperature": temperature(),
        "fan": fan(),
        "throttled": throttled(),
        "boot": text("/proc/sys/kernel/random/boot_id"),
        "time": time.time(),
    }


def text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def said(*words: str) -> str | None:
    """What a program prints; None where there is none such or it fails."""
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def sysctl(key: str) -> str | None:
    return said("/usr/sbin/sysctl", "-n", key) if sys.platform == "darwin" else None


def bytes_in_mb(number: str | None) -> int | None:
    return int(number) >> 20 if number and number.isdigit() else None


def meminfo() -> dict[str, int]:
    """MiB by name."""
    found = {}
    for line in (text("/proc/meminfo") or "").splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1]) >> 10
    return found


def existing(path: Path) -> str:
    """The path or the nearest above it that is there and may be looked at."""
    return next(str(place) for place in (path, *path.parents) if os.access(str(place), os.F_OK))


def memory_cgroup() -> bool | None:
    """Whether the kernel keeps account of memory by group; Raspberry Pi's firmware turns it off."""
    controllers = text("/sys/fs/cgroup/cgroup.controllers")
    if controllers is not None:
        return "memory" in controllers.split()
    groups = text("/proc/cgroups")
    if groups is None:
        return None
    return any(line.split()[0] == "memory" and line.split()[3] == "1" for line in lines(groups))


def lines(table: str) -> Any:
    return [line for line in table.splitlines() if line.strip() and not line.startswith("#")]


def temperature() -> float | None:
    """Degrees Celsius of the hottest zone."""
    zones = [text(str(path)) for path in THERMAL.glob("thermal_zone*/temp")]
    degrees = [int(zone) / 1000 for zone in zones if zone and zone.lstrip("-").isdigit()]
    return max(degrees) if degrees else None


def fan() -> bool | None:
    """Whether Linux drives a fan; None where it names no way of cooling at all."""
    kinds = [text(str(path)) or "" for path in THERMAL.glob("cooling_device*/type")]
    return any("fan" in kind.lower() for kind in kinds) if kinds else None


def throttled() -> int | None:
    """The bits of `vcgencmd get_throttled`, where there is one."""
    answer = said("vcgencmd", "get_throttled") or ""
    try:
        return int(answer.partition("=")[2], 16)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
