"""What a number must be read together with: the machine, its load and the versions in use."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from bench.agent.emulation import emulation_signs
from bench.agent.measurement import Fact
from bench.agent.readings import core_kinds
from device_profiles.reading import this_machine

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def describe_environment() -> dict[str, Fact]:
    """Facts at this moment; the load average counts whatever else runs on the machine."""
    machine = this_machine()
    return {
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
        "numpy": _version("numpy"),
        "system": f"{platform.system()} {platform.release()}",
        "model": machine.model,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "core_kinds": _core_kinds(),
        "architecture": machine.architecture,
        "instruction_sets": list(machine.instruction_sets),
        "memory_mb": machine.memory_mb,
        "page_kb": machine.page_kb,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "governor": _governor(),
        "emulation": list(emulation_signs()),
    }


def _governor() -> str | None:
    try:
        return _GOVERNOR.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _core_kinds() -> list[str]:
    """Performance and efficiency cores of a Mac, told apart; elsewhere nothing says."""
    if sys.platform != "darwin":
        return []
    try:
        told = subprocess.run(
            ["/usr/sbin/sysctl", "hw"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return core_kinds(told.stdout)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
