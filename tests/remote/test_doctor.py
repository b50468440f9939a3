"""Each check against facts of machines that we do not have here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.remote.deploy import environment_name
from bench.remote.doctor import Check, checks, refusals
from bench.remote.facts import Facts
from bench.remote.requirements import device_requirements

#: A Raspberry Pi 4 with Raspberry Pi OS as it should be.
PI = Facts(
    system="Linux",
    release="6.12.25+rpt-rpi-v8",
    machine="aarch64",
    pointer_bits=64,
    model="Raspberry Pi 4 Model B Rev 1.4",
    cores=4,
    python="3.11.2",
    implementation="CPython",
    has_venv=True,
    has_ensurepip=True,
    glibc="2.36",
    macos=None,
    cache="/home/pi/.cache/secateur",
    cache_writable=True,
    environments=[],
    disk_free_mb=9000,
    memory_mb=3791,
    memory_free_mb=3200,
    page_kb=4,
    memory_cgroup=True,
    governor="performance",
    temperature=44.3,
    fan=None,
    throttled=0,
    boot="0b0e5b0e-8d3c-4c57-a5f1-1c3b8f1a2d11",
    time=0.0,
)


#: The environment of this version on that board.
ITS_OWN = environment_name(PI, device_requirements())


def check_of(name: str, **facts: object) -> Check:
    [found] = [check for check in checks(replace(PI, **facts)) if check.name == name]
    return found


def test_a_good_board_has_nothing_to_mend() -> None:
    assert {check.level for check in checks(PI)} == {"OK"}
    assert not any(check.fix for check in checks(PI))


@pytest.mark.parametrize(
    ("name", "facts", "level", "said"),
    [
        ("userland", {"pointer_bits": 32}, "FAIL", "32 bits on a aarch64 kernel"),
        ("architecture", {"machine": "riscv64"}, "FAIL", "no wheels"),
        ("python", {"python": "3.9.2"}, "FAIL", "too old"),
        ("python", {"python": "3.14.0"}, "FAIL", "newer"),
        ("python", {"implementation": "PyPy"}, "FAIL", "PyPy"),
        ("venv", {"has_venv": False}, "FAIL", "no venv module"),
        ("venv", {"has_ensurepip": False}, "WARN", "no ensurepip"),
        ("C library", {"glibc": "2.24"}, "FAIL", "2.24"),
        ("C library", {"glibc": None}, "WARN", "musl"),
        ("memory", {"memory_free_mb": 90}, "FAIL", "90 of 3791 MiB"),
        ("memory", {"memory_free_mb": 300}, "WARN", "300 of"),
        ("cache", {"cache_writable": False}, "FAIL", "/secateur cannot be written"),
        ("disk", {"disk_free_mb": 100}, "FAIL", "100 MiB"),
        ("disk", {"disk_free_mb": 10, "environments": [ITS_OWN]}, "FAIL", "10 MiB"),
        ("disk", {"disk_free_mb": 100, "environments": ["env-older"]}, "FAIL", "100 MiB"),
        ("memory cgroup", {"memory_cgroup": False}, "WARN", "is off"),
        ("governor", {"governor": "ondemand"}, "WARN", "ondemand"),
        ("cooling", {"temperature": 71.0, "fan": False}, "WARN", "71 degrees Celsius, no fan"),
        ("power supply", {"throttled": 0x50005}, "WARN", "now: under-voltage, throttled"),
        ("power supply", {"throttled": 0x80000}, "WARN", "since it was started: at the soft"),
        ("clock", {"skew": -7200.0}, "WARN", "7200 s behind"),
    ],
)
def test_what_is_wrong_is_said_with_its_fix(
    name: str, facts: dict[str, object], level: str, said: str
) -> None:
    check = check_of(name, **facts)
    assert check.level == level
    assert said in check.said
    assert check.fix


def test_a_device_that_has_the_agent_needs_little_room() -> None:
    assert check_of("disk", disk_free_mb=100, environments=[ITS_OWN]).level == "OK"


def test_only_what_makes_measuring_impossible_refuses() -> None:
    assert [check.name for check in refusals(replace(PI, disk_free_mb=1, throttled=5))] == ["disk"]


def test_what_a_system_does_not_say_is_left_out() -> None:
    mac = replace(
        PI,
        system="Darwin",
        machine="arm64",
        governor=None,
        throttled=None,
        temperature=None,
        memory_cgroup=None,
        memory_free_mb=None,
        glibc=None,
    )
    names = {check.name for check in checks(mac)}
    assert names == {
        "architecture",
        "userland",
        "python",
        "venv",
        "memory",
        "cache",
        "disk",
        "page size",
        "clock",
    }
