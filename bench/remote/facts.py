"""What a device says of itself, asked by `there/probe.py` on its bare python3."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.remote.connection import Link
from bench.remote.courier import check_end
from speech.errors import BadInput
from speech.records import record_from

PROBE = Path(__file__).parent / "there" / "probe.py"


@dataclass(frozen=True)
class Facts:
    """None where the system does not say. MiB and KiB; degrees Celsius."""

    system: str
    release: str
    machine: str
    pointer_bits: int
    model: str | None
    cores: int | None
    python: str
    implementation: str
    has_venv: bool
    has_ensurepip: bool
    glibc: str | None
    macos: str | None
    cache: str
    cache_writable: bool
    environments: list[str]  # those that are whole, by the names of their folders
    disk_free_mb: int
    memory_mb: int | None
    memory_free_mb: int | None
    page_kb: int
    memory_cgroup: bool | None
    governor: str | None
    temperature: float | None
    fan: bool | None
    throttled: int | None
    boot: str | None
    time: float  # seconds since 1970 by the device's clock
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
    with tempfile.TemporaryFile() as errors:
        before = time.time()
        process = link.open(["python3", "-I", "-"], errors)
        said, _ = process.communicate(PROBE.read_bytes())
        after = time.time()
        check_end(link, process, errors)
    facts = facts_from(said, link.device.name)
    return replace(facts, skew=_skew(facts.time, before, after))


def facts_here() -> Facts:
    """Of the machine that this runs on, by the Python that it runs on."""
    said = subprocess.run([sys.executable, str(PROBE)], capture_output=True, check=True).stdout
    return facts_from(said, "this")


def facts_from(said: bytes, name: str) -> Facts:
    try:
        return record_from(Facts, json.loads(said))
    except ValueError as error:
        raise BadInput(
            f"{name} gave no sensible answer about itself ({error}): does its shell print "
            "anything when nobody logs in?"
        ) from error


def _skew(there: float, before: float, after: float) -> float:
    """0 for a clock that may be right: somewhere between asking and the answer."""
    return there - after if there > after else min(0.0, there - before)
