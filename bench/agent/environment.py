"""What a number must be read together with: the machine, its load and the versions in use."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from device_profiles.reading import this_machine

Fact: TypeAlias = str | int | float | list[float] | list[str] | None
# Their presence would mean that the host's memory and start-up were measured, not a device's.
FORBIDDEN = ("torch", "transformers", "optimum")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def describe_environment() -> dict[str, Fact]:
    """Facts at this moment, once the recogniser's libraries are loaded.

    The load average counts whatever else runs on the machine.
    """
    machine = this_machine()
    return {
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
        "numpy": _version("numpy"),
        "system": f"{platform.system()} {platform.release()}",
        "model": machine.model,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "architecture": machine.architecture,
        "instruction_sets": list(machine.instruction_sets),
        "memory_mb": machine.memory_mb,
        "page_kb": machine.page_kb,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "governor": _governor(),
    }


def forbidden_modules(loaded: Iterable[str] | None = None) -> tuple[str, ...]:
    """Which of the host's libraries this process has imported: none, or the waterline leaks."""
    names = set(sys.modules if loaded is None else loaded)
    return tuple(name for name in FORBIDDEN if name in names)


def _governor() -> str | None:
    try:
        return _GOVERNOR.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _version(module: str) -> str | None:
    """From the loaded module itself: asking the package's metadata would cost 2 MB."""
    return getattr(sys.modules.get(module), "__version__", None)
