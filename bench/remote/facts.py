"""What a device says of itself, asked by `there/probe.py` on its bare python3."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from bench.remote.answers import Place
from bench.remote.connection import Link
from bench.remote.courier import exchanged
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import Count, Name, Pattern, Range, record_from

PROBE = Path(__file__).parent / "there" / "probe.py"
_PYTHON = r"\d{1,3}\.\d{1,3}(\.[\w.+-]{0,40})?"
_VERSION = r"\d{1,3}(\.\d{1,3}){0,3}"


@dataclass(frozen=True)
class Facts:
    """None where the system does not say. MiB and KiB; degrees Celsius."""

    system: Name
    release: Name
    machine: Name
    pointer_bits: Annotated[int, Range(8, 128)]
    model: Name | None
    cores: Count | None
    python: Annotated[str, Pattern(_PYTHON, "a version of Python")]
    implementation: Name
    has_venv: bool
    has_ensurepip: bool
    glibc: Annotated[str, Pattern(_VERSION, "a version")] | None
    macos: Annotated[str, Pattern(_VERSION, "a version")] | None
    cache: Place
    cache_writable: bool
    environments: list[Name]  # those that are whole, by the names of their folders
    disk_free_mb: Count
    memory_mb: Count | None
    memory_free_mb: Count | None
    page_kb: Count
    memory_cgroup: bool | None
    governor: Name | None
    temperature: Annotated[float, Range(-1e4, 1e4)] | None  # sensors that are off read oddly
    fan: bool | None
    throttled: Annotated[int, Range(0, 2**32)] | None
    boot: Name | None
    time: Annotated[float, Range(0, 1e12)]  # seconds since 1970 by the device's clock
    skew: float = 0.0  # seconds by which its clock is ahead of ours

    @property
    def python_version(self) -> tuple[int, int]:
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)

    @property
    def architecture(self) -> str:
        """As wheels call it; what a 32-bit userland on a 64-bit kernel can load is 32-bit."""
        if self.pointer_bits == 32:
            return {"aarch64": "armv7l", "x86_64": "i686"}.get(self.machine, self.machine)
        return self.machine


def read_facts(link: Link) -> Facts:
    """Raises `Unreachable`, or BadInput for a device that has no python3 to ask."""
    before = time.time()
    with exchanged(link, ["python3", "-I", "-"], [PROBE.read_bytes()]) as exchange:
        said = exchange.rest()
        after = time.time()
        exchange.end()
    facts = facts_from(said, link.device.name)
    return replace(facts, skew=_skew(facts.time, before, after))


def facts_here() -> Facts:
    """Of the machine that this runs on, by the Python that it runs on."""
    said = subprocess.run([sys.executable, str(PROBE)], capture_output=True, check=True).stdout
    return facts_from(said, "this")


def facts_from(said: bytes, name: str) -> Facts:
    try:
        return record_from(Facts, json_from(said.decode()))
    except ValueError as error:
        raise BadInput(
            f"{name} gave no sensible answer about itself ({error}): does its shell print "
            "anything when nobody logs in?"
        ) from error


def _skew(there: float, before: float, after: float) -> float:
    """0 for a clock that may be right: somewhere between asking and the answer."""
    return there - after if there > after else min(0.0, there - before)
