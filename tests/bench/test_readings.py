"""Sensors' texts as real machines printed them; each recording names its public source."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.agent import readings
from bench.agent.emulation import signs_in
from bench.agent.sampler import LinuxSensors, _zone

# A Raspberry Pi 5 Model B Rev 1.0 under load, as recorded in github.com/ml-energy/zeus,
# tests/device/machine/test_rpi.py; five of its twelve rails, and the two without a current.
PMIC = """ 3V7_WL_SW_A current(0)=0.09368929A
   3V3_SYS_A current(1)=0.08783370A
  DDR_VDD2_A current(3)=0.22543980A
  VDD_CORE_A current(7)=6.22421000A
      HDMI_A current(22)=0.02417580A
 3V7_WL_SW_V volt(8)=3.69977600V
   3V3_SYS_V volt(9)=3.31003300V
  DDR_VDD2_V volt(11)=1.10476100V
  VDD_CORE_V volt(15)=0.86173300V
      HDMI_V volt(23)=5.08664000V
     EXT5V_V volt(24)=5.09066000V
      BATT_V volt(25)=0.00000000V
"""

# Any Apple Silicon Mac that is cool; the words are those of pmset.c in Apple's PowerManagement.
COOL_APPLE_SILICON = """Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
Note: No CPU power status has been recorded
"""

# The limits of an Intel MacBook of 8 cores that was slowed to 23 % and never warned, from a public
# report of a machine on which everything was slow; layout and date line as pmset.c prints them.
SLOWED_INTEL = """Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
2026-07-12 11:20:19 -0400 CPU Power notify
\tCPU_Scheduler_Limit \t= 40
\tCPU_Available_CPUs \t= 8
\tCPU_Speed_Limit \t= 23
"""
COOL_INTEL = SLOWED_INTEL.replace("= 40", "= 100").replace("= 23", "= 100")

# `pmset -g` of a MacBook Air, from the README of a public fuel price dashboard, shortened.
PMSET = """System-wide power settings:
Currently in use:
 standby              1
 Sleep On Power Button 1
 hibernatefile        /var/vm/sleepimage
 sleep                0 (sleep prevented by sharingd, powerd, bluetoothd)
 lowpowermode         0
 womp                 0
"""

# `sysctl hw` of a Mac mini M4 Pro, qiita.com item 69fd802fd41ae4d7d469, shortened.
M4_PRO = """hw.ncpu: 14
hw.memsize: 68719476736
hw.perflevel0.physicalcpu: 10
hw.perflevel0.physicalcpu_max: 10
hw.perflevel0.name: Performance
hw.perflevel1.physicalcpu: 4
hw.perflevel1.physicalcpu_max: 4
hw.perflevel1.name: Efficiency
hw.optional.arm.FEAT_DotProd: 1
hw.osenvironment:\x20
hw.nperflevels: 2
"""

# /proc/meminfo's layout is the kernel's; the figures are a Raspberry Pi Zero 2 W's order of size.
MEMINFO = """MemTotal:         437128 kB
MemFree:           62340 kB
MemAvailable:     251904 kB
SwapTotal:        102396 kB
SwapFree:          92156 kB
"""


def test_the_watts_of_a_pi_5_are_the_sum_over_rails_that_have_both() -> None:
    watts = 0.09368929 * 3.699776 + 0.0878337 * 3.310033 + 0.2254398 * 1.104761
    watts += 6.22421 * 0.861733 + 0.0241758 * 5.08664
    assert readings.pmic_watts(PMIC) == pytest.approx(watts, abs=1e-4)
    assert readings.pmic_watts('error=1 error_msg="Command not registered"') is None  # a Pi 4


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("throttled=0x0\n", 0),
        ("throttled=0x50005\n", 0x50005),  # raspberrypi.com, documentation of vcgencmd
        ("throttled=0xa0002\n", 0xA0002),  # a Pi that met its soft temperature limit
        ("50000\n", 0x50000),  # the kernel's file has no prefix
        ("VCHI initialization failed\n", None),
        ("", None),
    ],
)
def test_throttled_bits(text: str, bits: int | None) -> None:
    assert readings.throttled_bits(text) == bits


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        (COOL_APPLE_SILICON, 0),
        (COOL_INTEL, 0),
        (SLOWED_INTEL, readings.THROTTLED),
        ("Note: Performance warning level: 1\n", readings.THROTTLED),
        ("", None),
    ],
)
def test_a_macs_thermal_state(text: str, bits: int | None) -> None:
    assert readings.pmset_throttled(text) == bits


def test_a_macs_low_power_mode() -> None:
    assert readings.low_power_mode(PMSET) is False
    assert readings.low_power_mode(PMSET.replace("lowpowermode         0", "powermode 1")) is True
    assert readings.low_power_mode("Currently in use:\n standby 1\n") is None


def test_performance_and_efficiency_cores_are_told_apart() -> None:
    assert readings.core_kinds(M4_PRO) == ["Performance 10", "Efficiency 4"]
    assert readings.core_kinds("hw.ncpu: 4\n") == []  # an Intel Mac


def test_linux_memory_load_clock_and_radio() -> None:
    assert readings.free_mb(MEMINFO) == 246
    assert readings.swap_used_mb(MEMINFO) == 10
    assert readings.swap_used_mb("MemTotal: 5 kB\n") is None
    assert readings.one_minute_load("0.42 0.31 0.18 1/187 2044\n") == 0.42
    assert readings.megahertz("1500000\n") == 1500
    assert readings.megahertz("<unknown>") is None
    assert readings.radio_is_up(["down\n", "up\n"]) is True
    assert readings.radio_is_up(["dormant\n"]) is False
    assert readings.radio_is_up([]) is None


def test_temperatures_and_sensors_that_are_off() -> None:
    assert readings.celsius("48312\n") == 48.312
    assert readings.celsius("-273200\n") is None
    assert readings.celsius("") is None


def test_the_processors_own_zone_is_read(tmp_path: Path) -> None:
    for number, kind in enumerate(("iwlwifi_1", "cpu-thermal")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{40 + number}000\n")
    assert _zone(tmp_path) == tmp_path / "thermal_zone1" / "temp"
    assert LinuxSensors(zone=_zone(tmp_path)).read().temperature == 41
    assert _zone(tmp_path / "none") is None


def test_each_sign_of_an_emulator_is_seen_and_a_real_pi_has_none() -> None:
    pi = {"architecture": "aarch64", "modalias": "cpu:type:aarch64", "interrupts": "GICv2"}
    assert signs_in(**pi, child_program="/usr/bin/python3.11") == ()
    x86 = {
        "architecture": "aarch64",
        "modalias": "cpu:type:x86,ven0000",
        "interrupts": "2: IO-APIC",
    }
    assert len(signs_in(**x86, child_program="/usr/bin/qemu-aarch64")) == 3
    assert len(signs_in(**pi, child_program="/opt/qemu-aarch64-static")) == 1
    honest = {**x86, "architecture": "x86_64"}
    assert signs_in(**honest, child_program="/usr/bin/python3.11") == ()
