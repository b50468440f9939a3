"""The probe against recorded texts of real machines, and once against this one."""

from __future__ import annotations

import os

import pytest

from device_profiles.machine import Machine, linux_machine, macos_machine
from device_profiles.probe import described, find_profile, profile_for
from device_profiles.profiles import ProfileError, load_profile
from device_profiles.reading import this_machine

PI4_CPUINFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd08

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid

processor\t: 2

processor\t: 3

Revision\t: b03115
Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""
PI5_CPUINFO = PI4_CPUINFO.replace("0xd08", "0xd0b").replace(
    "crc32 cpuid", "aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)
M2_SYSCTL = """hw.ncpu: 8
hw.logicalcpu: 8
hw.memsize: 17179869184
hw.pagesize: 16384
hw.model: Mac14,3
hw.optional.AdvSIMD: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
machdep.cpu.brand_string: Apple M2 Pro
"""


def pi(cpuinfo: str = PI4_CPUINFO, kilobytes: int = 1_895_000, **changes: object) -> Machine:
    given: dict[str, object] = {
        "cpuinfo": cpuinfo,
        "meminfo": f"MemTotal:        {kilobytes} kB\nMemFree:           12 kB\n",
        "device_tree_model": "Raspberry Pi 4 Model B Rev 1.5\0",
        "architecture": "aarch64",
        "pointer_bits": 64,
        "page_kb": 4,
    }
    return linux_machine(**{**given, **changes})  # type: ignore[arg-type]


def test_a_pi_4_is_known_by_its_device_tree_and_memory() -> None:
    machine = pi()
    assert (machine.cpu, machine.cores, machine.instruction_sets) == ("Cortex-A72", 4, ("neon",))
    assert profile_for(machine).id == "pi-4b-2gb"
    assert profile_for(pi(kilobytes=8_000_000)).id == "pi-4b-8gb"
    assert profile_for(pi(kilobytes=64_000_000)).id == "pi-4b-8gb"


def test_a_pi_5_has_dotprod_and_large_pages() -> None:
    machine = pi(PI5_CPUINFO, device_tree_model="Raspberry Pi 5 Model B Rev 1.0\0", page_kb=16)
    assert machine.cpu == "Cortex-A76"
    assert {"neon", "fp16", "dotprod"} == set(machine.instruction_sets)
    assert profile_for(machine).id == "pi-5-2gb"


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("Raspberry Pi Zero 2 W Rev 1.0\0", "pi-zero-2w"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3\0", "pi-3b-plus"),
        ("Raspberry Pi 3 Model B Rev 1.2\0", "generic-arm64"),
        ("Raspberry Pi 400 Rev 1.0\0", "pi-4b-1gb"),
        ("Radxa ROCK 5B\0", "generic-arm64"),
    ],
)
def test_models_by_name(model: str, profile: str) -> None:
    assert profile_for(pi(device_tree_model=model, kilobytes=440_000)).id == profile


def test_without_a_device_tree_cpuinfo_names_the_board() -> None:
    assert pi(device_tree_model="").model == "Raspberry Pi 4 Model B Rev 1.5"


def test_a_32_bit_python_on_a_64_bit_kernel_says_so() -> None:
    assert pi(pointer_bits=32).architecture == "armv7l"


def test_a_mac_is_known_by_its_chip() -> None:
    machine = macos_machine(M2_SYSCTL, architecture="arm64")
    assert (machine.model, machine.cpu, machine.memory_mb) == ("Mac14,3", "Apple M2 Pro", 16384)
    assert machine.instruction_sets == ("neon", "dotprod", "i8mm")
    assert (machine.architecture, machine.page_kb) == ("aarch64", 16)
    assert profile_for(machine).id == "m2-16gb"


def test_chips_are_compared_by_whole_words() -> None:
    machine = macos_machine(M2_SYSCTL.replace("M2 Pro", "M20"), architecture="arm64")
    assert profile_for(machine).id == "generic-arm64"


def test_empty_texts_fall_back_to_generic() -> None:
    machine = linux_machine(
        cpuinfo="",
        meminfo="",
        device_tree_model="",
        architecture="aarch64",
        pointer_bits=64,
        page_kb=4,
    )
    assert profile_for(machine).id == "generic-arm64"
    assert described(machine, profile_for(machine)).memory_mb == 2048


def test_this_machine_describes_itself() -> None:
    machine = this_machine()
    assert machine.cores == os.cpu_count()
    assert machine.memory_mb > 0
    assert machine.cpu
    profile = find_profile("this")
    assert (profile.id, profile.cores) == ("this", machine.cores)
    assert profile.threads <= machine.cores


def test_find_profile_names_the_nearest_for_an_unknown_id() -> None:
    assert find_profile("m3") == load_profile("m3")
    with pytest.raises(ProfileError, match="did you mean"):
        find_profile("m33")
