"""Whether a device can be measured on, and what would falsify the numbers; each with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench.remote.deploy import environment_name
from bench.remote.facts import Facts
from bench.remote.requirements import device_requirements

Level = Literal["OK", "WARN", "FAIL"]

#: As pyproject.toml has it.
PYTHONS = ((3, 11), (3, 13))
ARCHITECTURES = ("aarch64", "arm64", "x86_64")

#: MiB. The environment has some 250, of which a device that has it needs none; a dense tiny
#: Whisper peaks at 380.
NEEDED_DISK, NEEDED_BESIDE = 400, 50
NEEDED_MEMORY = 150
GOOD_MEMORY = 400

#: The oldest C library that onnxruntime's wheels are built for.
OLDEST_GLIBC = (2, 27)

#: Degrees Celsius; a Raspberry Pi slows down from 80 (soft limit 60 on the 3B+).
WARM, HOT = 60.0, 78.0

#: Seconds.
GOOD_SKEW = 5.0

#: What sshd passes on to a session that is no login.
_ELSEWHERE = "put SECATEUR_CACHE=/another/folder into its /etc/environment"

_THROTTLED_NOW = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "at the soft temperature limit",
}


@dataclass(frozen=True)
class Check:
    """`fix` is empty where nothing needs to be done."""

    name: str
    level: Level
    said: str
    fix: str = ""


def checks(facts: Facts) -> list[Check]:
    return [check for examine in _EXAMINATIONS for check in examine(facts)]


def refusals(facts: Facts) -> list[Check]:
    """What makes measuring impossible."""
    return [check for check in checks(facts) if check.level == "FAIL"]


def _architecture(facts: Facts) -> Iterator[Check]:
    if facts.architecture in ARCHITECTURES:
        model = f", {facts.model}" if facts.model else ""
        yield Check("architecture", "OK", f"{facts.system} on {facts.machine}{model}")
    elif facts.pointer_bits == 64:
        yield Check(
            "architecture",
            "FAIL",
            f"{facts.machine}, for which onnxruntime has no wheels",
            f"use a machine with {', '.join(ARCHITECTURES)}",
        )


def _userland(facts: Facts) -> Iterator[Check]:
    if facts.pointer_bits == 64:
        yield Check("userland", "OK", "64 bits")
        return
    yield Check(
        "userland",
        "FAIL",
        f"{facts.pointer_bits} bits on a {facts.machine} kernel; onnxruntime has no wheels for it",
        "install the 64-bit Raspberry Pi OS (or another 64-bit system) on the device",
    )


def _python(facts: Facts) -> Iterator[Check]:
    oldest, newest = PYTHONS
    said = f"{facts.implementation} {facts.python}"
    if facts.implementation != "CPython" or facts.python_version < oldest:
        yield Check(
            "python",
            "FAIL",
            f"{said} is too old" if facts.implementation == "CPython" else said,
            f"install Python {oldest[0]}.{oldest[1]} as python3: Raspberry Pi OS has it since 2023",
        )
    elif facts.python_version > newest:
        fix = f"install Python {newest[0]}.{newest[1]} as python3"
        yield Check("python", "FAIL", f"{said} is newer than this Secateur knows", fix)
    else:
        yield Check("python", "OK", said)


def _venv(facts: Facts) -> Iterator[Check]:
    if not facts.has_venv:
        fix = "sudo apt install python3-venv"
        yield Check("venv", "FAIL", "python3 has no venv module", fix)
    elif not facts.has_ensurepip:
        fix = "sudo apt install python3-venv, or say --offline"
        yield Check("venv", "WARN", "python3 has venv but no ensurepip, so no pip", fix)
    else:
        yield Check("venv", "OK", "venv and ensurepip are there")


def _c_library(facts: Facts) -> Iterator[Check]:
    if facts.system != "Linux":
        return
    version = tuple(int(part) for part in (facts.glibc or "").split(".")[:2] if part.isdigit())
    if version >= OLDEST_GLIBC:
        yield Check("C library", "OK", f"glibc {facts.glibc}")
    else:
        said = f"glibc {facts.glibc}" if facts.glibc else "no glibc, perhaps musl"
        fix = "use a system with glibc 2.27 or newer, such as Raspberry Pi OS"
        yield Check("C library", "FAIL" if version else "WARN", said, fix)


def _memory(facts: Facts) -> Iterator[Check]:
    free = facts.memory_free_mb
    if free is None:
        yield Check("memory", "OK", f"{facts.memory_mb or '?'} MiB; how much is free is not said")
        return
    level: Level = "OK" if free >= GOOD_MEMORY else "WARN" if free >= NEEDED_MEMORY else "FAIL"
    fix = "" if level == "OK" else "end other programs, such as the desktop (sudo raspi-config)"
    yield Check("memory", level, f"{free} of {facts.memory_mb} MiB are free", fix)


def _cache(facts: Facts) -> Iterator[Check]:
    if facts.cache_writable:
        yield Check("cache", "OK", f"{facts.cache} can be written")
        return
    fix = f"mend its owner or mode (a card that fails turns read-only), or {_ELSEWHERE}"
    yield Check("cache", "FAIL", f"{facts.cache} cannot be written", fix)


def _disk(facts: Facts) -> Iterator[Check]:
    there = environment_name(facts, device_requirements()) in facts.environments
    needed = NEEDED_BESIDE if there else NEEDED_DISK
    level: Level = "OK" if facts.disk_free_mb >= needed else "FAIL"
    fix = "" if level == "OK" else f"make {needed} MiB free, or {_ELSEWHERE}"
    yield Check("disk", level, f"{facts.disk_free_mb} MiB are free at {facts.cache}", fix)


def _pages(facts: Facts) -> Iterator[Check]:
    yield Check("page size", "OK", f"{facts.page_kb} KiB")


def _memory_cgroup(facts: Facts) -> Iterator[Check]:
    if facts.memory_cgroup is False:
        yield Check(
            "memory cgroup",
            "WARN",
            "is off, so containers cannot be held to a limit (Secateur's own limit works)",
            "add cgroup_enable=memory to /boot/firmware/cmdline.txt if you need it",
        )
    elif facts.memory_cgroup:
        yield Check("memory cgroup", "OK", "is on")


def _governor(facts: Facts) -> Iterator[Check]:
    if facts.governor is None:
        return
    good = facts.governor == "performance"
    fix = "for steadier numbers: echo performance | sudo tee "
    fix += "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    yield Check("governor", "OK" if good else "WARN", facts.governor, "" if good else fix)


def _cooling(facts: Facts) -> Iterator[Check]:
    if facts.temperature is None:
        return
    fan = {True: ", with a fan", False: ", no fan known", None: ""}[facts.fan]
    level: Level = "OK" if facts.temperature < WARM else "WARN"
    fix = "" if level == "OK" else "let it cool down, or give it a heat sink or a fan"
    if facts.temperature >= HOT:
        fix = "cool it: from 80 degrees on the clock is slowed down"
    yield Check("cooling", level, f"{facts.temperature:.0f} degrees Celsius{fan}", fix)


def _power(facts: Facts) -> Iterator[Check]:
    if facts.throttled is None:
        return
    now = [name for bit, name in _THROTTLED_NOW.items() if facts.throttled >> bit & 1]
    since = [name for bit, name in _THROTTLED_NOW.items() if facts.throttled >> (bit + 16) & 1]
    supply = "under-voltage" in (*now, *since)
    fix = "use the maker's power supply and a short cable" if supply else "cool it"
    if now:
        yield Check("power supply", "WARN", f"now: {', '.join(now)}", fix)
    elif since:
        yield Check("power supply", "WARN", f"since it was started: {', '.join(since)}", fix)
    else:
        yield Check("power supply", "OK", "neither under-voltage nor throttling since the start")


def _clock(facts: Facts) -> Iterator[Check]:
    said = f"{abs(facts.skew):.0f} s {'ahead of' if facts.skew > 0 else 'behind'} this machine's"
    if abs(facts.skew) < GOOD_SKEW:
        yield Check("clock", "OK", "agrees with this machine's")
    else:
        yield Check("clock", "WARN", said, "sudo timedatectl set-ntp true")


_EXAMINATIONS = (
    *(_architecture, _userland, _python, _venv, _c_library, _memory, _cache, _disk),
    *(_pages, _memory_cgroup, _governor, _cooling, _power, _clock),
)
