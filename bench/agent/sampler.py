"""Reads the machine's sensors twice a second, in a process of its own.

So the measuring process is not disturbed, and a sensor that hangs cannot stop a measurement.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.agent import readings
from bench.agent.events import Reading, event_to_json

PERIOD = 0.5  # seconds
_SLOWEST = 5.0  # seconds that a tool may take before its answer is given up

_THERMAL = Path("/sys/class/thermal")
_CPUS = Path("/sys/devices/system/cpu")
_NET = Path("/sys/class/net")
_FIRMWARE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
#: What zones of the processor are called, best first; any other zone is better than none.
_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp", "acpitz")


class Sensors(Protocol):
    def read(self) -> Reading: ...


def sample_until_closed(stdin: int, write: Callable[[str], None]) -> None:
    """A reading at once, then twice a second, and whenever asked by a byte on `stdin`.

    Ends when `stdin` closes or nobody listens.
    """
    sensors = sensors_of_this_machine()
    while True:
        try:
            write(event_to_json(sensors.read()))
        except BrokenPipeError:
            return
        ready, _, _ = select.select([stdin], [], [], PERIOD)
        if ready and not os.read(stdin, 1 << 10):
            return


def sensors_of_this_machine() -> Sensors:
    return MacSensors() if sys.platform == "darwin" else LinuxSensors()


@dataclass
class LinuxSensors:
    """Where the files are is found once; what is in them is read every time."""

    zone: Path | None = field(default_factory=lambda: _zone(_THERMAL))
    clocks: tuple[Path, ...] = field(
        default_factory=lambda: tuple(_CPUS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    )
    radios: tuple[Path, ...] = field(
        default_factory=lambda: tuple(path / "operstate" for path in _NET.glob("wl*"))
    )
    vcgencmd: str | None = field(default_factory=lambda: shutil.which("vcgencmd"))
    has_pmic: bool = True

    def read(self) -> Reading:
        meminfo = _text(Path("/proc/meminfo"))
        clocks = [readings.megahertz(_text(path)) for path in self.clocks]
        return Reading(
            temperature=readings.celsius(_text(self.zone)) if self.zone else None,
            clock_mhz=max((clock for clock in clocks if clock), default=None),
            governor=_text(_CPUS / "cpu0/cpufreq/scaling_governor").strip() or None,
            throttled=self._throttled(),
            load=readings.one_minute_load(_text(Path("/proc/loadavg"))),
            free_memory_mb=readings.free_mb(meminfo),
            swap_used_mb=readings.swap_used_mb(meminfo),
            radio=readings.radio_is_up([_text(path) for path in self.radios]),
            watts=self._watts(),
        )

    def _throttled(self) -> int | None:
        """From the kernel's file only without the tool: its driver clears bits as it reads."""
        bits = readings.throttled_bits(_said(self.vcgencmd, "get_throttled"))
        return readings.throttled_bits(_text(_FIRMWARE)) if bits is None else bits

    def _watts(self) -> float | None:
        """Only the Pi 5 has the chip; the others are asked once."""
        if not self.has_pmic:
            return None
        watts = readings.pmic_watts(_said(self.vcgencmd, "pmic_read_adc"))
        self.has_pmic = watts is not None
        return watts


class MacSensors:
    """What macOS tells without root: no temperature, no clock, no watts."""

    def read(self) -> Reading:
        import psutil  # Imported here: Linux never needs it.

        return Reading(
            throttled=readings.pmset_throttled(_said("/usr/bin/pmset", "-g", "therm")),
            load=os.getloadavg()[0],
            free_memory_mb=psutil.virtual_memory().available // 2**20,
            swap_used_mb=psutil.swap_memory().used // 2**20,
            low_power=readings.low_power_mode(_said("/usr/bin/pmset", "-g")),
        )


def _zone(folder: Path) -> Path | None:
    """The `temp` file of the zone that is nearest to the processor."""
    found = {_text(zone / "type").strip(): zone / "temp" for zone in sorted(folder.glob("*zone*"))}
    for name in _ZONES:
        if name in found:
            return found[name]
    return next(iter(found.values()), None)


def _said(program: str | None, *words: str) -> str:
    """What a tool prints; nothing where it is missing, refuses or hangs."""
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SLOWEST,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
