"""The record of one case: raw samples first, summaries beside them, and an error if it failed.

It travels as one JSON object a line, from the device to the host and into the results file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from bench.agent.latency import Latency
from bench.agent.memory import MemoryReading
from speech.parsed import json_from
from speech.records import record_from

#: Of the machine and its software, as JSON can hold it.
Fact: TypeAlias = str | int | float | list[float] | list[str] | None

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
    tokens: int | None = None
    turn: int = 0  # which of the case's processes took it
    queued_seconds: float | None = None  # that its threads stood in line for a processor


@dataclass(frozen=True)
class Heard:
    """What the recogniser made of a clip."""

    clip: str
    reference: str
    text: str


@dataclass(frozen=True)
class Start:
    """What one process needed before it was warm, in seconds."""

    turn: int
    import_seconds: float
    load_seconds: float
    first_seconds: float


@dataclass(frozen=True)
class Conditions:
    """The machine while the case was measured; None where it does not say."""

    temperature_at_start: float | None = None  # degrees Celsius
    temperature_at_most: float | None = None
    clock_mhz_at_least: float | None = None
    clock_mhz_at_most: float | None = None
    load_at_most: float | None = None
    free_memory_mb_at_least: int | None = None
    governor: str | None = None  # several, if it changed, joined by a comma
    radio: bool | None = None  # None too if it changed
    low_power: bool | None = None  # whether it ever was


@dataclass(frozen=True)
class Stretch:
    """A part of a sustained run: machines slow down as they heat up."""

    start_seconds: float  # since the first warm sample
    samples: int
    median: float
    p90: float | None
    temperature: float | None  # median, as the clock
    clock_mhz: float | None


@dataclass(frozen=True)
class Measurement:
    """Seconds and bytes throughout. With `error` set, whatever was not reached is empty.

    Of several processes: what happens once in each is the median, memory is the largest.
    """

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
    case: str | None = None  # its id in the job
    job: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None  # of which kind the error is: crash, timeout, memory, input
    verdicts: tuple[str, ...] = ()  # see bench.agent.verdicts
    turns: int = 0  # processes that were measured to their end
    starts: tuple[Start, ...] = ()
    tokens_per_second: float | None = None  # of a decoder that makes one after another
    token_seconds: float | None = None  # median of a step after the first token
    conditions: Conditions | None = None
    queued_share: float | None = None  # of its threads' time, that others had the processor
    watts: float | None = None  # of the whole board, while samples were taken
    joules_per_clip: float | None = None
    sustained: tuple[Stretch, ...] = ()
    score: Mapping[str, Any] | None = None  # speech.scoring.Score of the transcripts, by the host

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
        return record_from(cls, json_from(line))
