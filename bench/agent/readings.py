"""What the texts of sensors mean: pure parsers, so that a recorded text gives the same anywhere.

Each gives None for what it does not understand; a wrong number would be worse than none.
"""

from __future__ import annotations

import re

from bench.agent.memory import kilobyte_field

#: Bits of the Raspberry Pi's firmware: now, and 16 places higher ever since the boot.
UNDER_VOLTAGE, ARM_CAPPED, THROTTLED, SOFT_LIMIT = 1, 2, 4, 8
SINCE_BOOT = 16

_MEBIBYTE = 2**20
#: `VDD_CORE_A current(7)=6.22421000A` and its `VDD_CORE_V volt(15)=0.86173300V`.
_PMIC = re.compile(r"(\S+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]")


def celsius(millidegrees: str) -> float | None:
    """From a thermal zone's `temp`; a sensor that is off reads as absolute nonsense."""
    try:
        degrees = int(millidegrees) / 1000
    except ValueError:
        return None
    return degrees if -50 < degrees < 150 else None


def megahertz(kilohertz: str) -> float | None:
    """From cpufreq's `scaling_cur_freq`."""
    text = kilohertz.strip()
    return int(text) / 1000 if text.isdigit() else None


def throttled_bits(text: str) -> int | None:
    """From `vcgencmd get_throttled` (`throttled=0x50005`) or the kernel's file of it (`50005`)."""
    digits = text.strip().removeprefix("throttled=").removeprefix("0x")
    try:
        return int(digits, 16)
    except ValueError:
        return None


def pmic_watts(text: str) -> float | None:
    """From `vcgencmd pmic_read_adc` of a Raspberry Pi 5: the sum over the rails of volts times
    amperes. What hangs on the USB ports and the converters' own losses are not in it."""
    found: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for rail, unit, value in _PMIC.findall(text):
        found[unit][rail] = float(value)
    both = found["A"].keys() & found["V"].keys()
    return round(sum(found["A"][rail] * found["V"][rail] for rail in both), 4) if both else None


def free_mb(meminfo: str) -> int | None:
    """MiB that could be had without swapping, from /proc/meminfo."""
    available = kilobyte_field(meminfo, "MemAvailable")
    return None if available is None else available // _MEBIBYTE


def swap_used_mb(meminfo: str) -> int | None:
    total, free = kilobyte_field(meminfo, "SwapTotal"), kilobyte_field(meminfo, "SwapFree")
    return None if total is None or free is None else (total - free) // _MEBIBYTE


def one_minute_load(text: str) -> float | None:
    """From /proc/loadavg."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError):
        return None


def radio_is_up(operstates: list[str]) -> bool | None:
    """From the `operstate` of every wireless interface; None for no interface."""
    if not operstates:
        return None
    return any(state.strip() == "up" for state in operstates)


def pmset_throttled(text: str) -> int | None:
    """From `pmset -g therm` of macOS, in the Raspberry Pi's bits.

    Intel Macs tell a speed limit in percent; Apple Silicon only notes whether it ever warned.
    """
    limits = re.findall(r"CPU_(?:Speed|Scheduler)_Limit\s*=\s*(\d+)", text)
    notes = re.findall(r"(thermal|performance) warning level(.*)", text, re.IGNORECASE)
    if not limits and not notes:
        return None
    slowed = any(int(limit) < 100 for limit in limits)
    warned = any(re.search(r"[1-9]", rest) for _, rest in notes)
    return THROTTLED if slowed or warned else 0


def low_power_mode(text: str) -> bool | None:
    """From `pmset -g` of macOS; where there are several energy modes, 1 is the low one."""
    found = re.search(r"^\s*(?:lowpowermode|powermode)\s+(\d)\s*$", text, re.MULTILINE)
    return None if found is None else found[1] == "1"


def core_kinds(sysctl: str) -> list[str]:
    """From `sysctl hw` of macOS: the kinds of cores, fastest first, as `Performance 8`."""
    pairs = dict(line.split(": ", 1) for line in sysctl.splitlines() if ": " in line)
    kinds = []
    for level in range(int(pairs.get("hw.nperflevels", "0"))):
        cores = pairs.get(f"hw.perflevel{level}.physicalcpu")
        if cores:
            kinds.append(f"{pairs.get(f'hw.perflevel{level}.name', f'level {level}')} {cores}")
    return kinds
