"""The record of one case: raw samples first, summaries beside them, and an error if it failed.

It travels as one JSON object a line, from the device to the host and into the results file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.agent.environment import Fact
from bench.agent.latency import Latency
from bench.agent.memory import MemoryReading
from bench.agent.records import record_from

# The moments at which memory is read, in order.
STAGES = ("after_import", "after_load", "after_first", "at_end")


@dataclass(frozen=True)
class Variant:
    """What the bundle's manifest says of it, so that results can be read without the bundle."""

    name: str
    family: str
    method: str
    requested_sparsity: float | None  # 0 to 1, of the prunable weights
    achieved_sparsity: float | None  # 0 to 1, of the prunable weights
    model_sparsity: float | None  # 0 to 1, of every weight
    score: Mapping[str, Any] | None  # WER and CER measured on the host


@dataclass(frozen=True)
class Sample:
    """One timed transcription."""

    clip: str
    seconds: float
    audio_seconds: float
    phases: Mapping[str, float]  # seconds by phase, as the recogniser names them


@dataclass(frozen=True)
class Heard:
    """What the recogniser made of a clip."""

    clip: str
    reference: str
    text: str


@dataclass(frozen=True)
class Measurement:
    """Seconds and bytes throughout. With `error` set, whatever was not reached is empty."""

    bundle: str  # folder it was measured from
    name: str
    measured_at: str  # UTC, ISO 8601
    threads: int
    bundle_sha256: str | None = None  # of its manifest, which names every file's hash
    error: str | None = None
    variant: Variant | None = None
    warm_up: int = 0
    import_seconds: float | None = None  # the recogniser's libraries, without Python's own start
    load_seconds: float | None = None  # opening the bundle and building the sessions
    first_seconds: float | None = None  # the first, cold transcription
    samples: tuple[Sample, ...] = ()
    latency: Latency | None = None
    phase_medians: Mapping[str, float] = field(default_factory=dict)
    real_time_factor: float | None = None  # median over the samples of seconds / audio seconds
    audio_seconds: float | None = None  # of the clips together, each once
    memory: Mapping[str, MemoryReading] = field(default_factory=dict)  # by stage, see STAGES
    transcripts: tuple[Heard, ...] = ()
    device_bytes: int | None = None  # the files a device needs
    bundle_bytes: int | None = None  # every file of the bundle
    environment: Mapping[str, Fact] = field(default_factory=dict)
    loaded_forbidden: tuple[str, ...] = ()

    @property
    def peak_bytes(self) -> int | None:
        """The peak over the whole run, None where the system does not say."""
        reading = self.memory.get("at_end")
        return reading.peak_bytes if reading else None

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Measurement:
        """Raises ValueError, with the reason, for anything `to_json` would not write."""
        return record_from(cls, json.loads(line))
