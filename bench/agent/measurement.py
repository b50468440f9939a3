"""The record of one case: raw samples first, summaries beside them, and an error if it failed.

It travels as one JSON object a line, from the device to the host and into the results file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, TypeAlias

from bench.agent.clock import Moment
from bench.agent.latency import Latency
from bench.agent.memory import MemoryReading
from speech.clip_set import clip_set
from speech.parsed import json_from
from speech.records import (
    Bytes,
    Count,
    Keys,
    Length,
    Name,
    Range,
    Rate,
    Seconds,
    Sentence,
    Share,
    record_from,
)

FactText = Annotated[str, Length(2000)]
#: Of the machine and its software, as JSON can hold it.
Fact: TypeAlias = FactText | int | float | list[float] | list[FactText] | None

Celsius = Annotated[float, Range(-273.15, 1000)]
Megahertz = Annotated[float, Range(0, 1e6)]
Load = Annotated[float, Range(0, 1e6)]
Watts = Annotated[float, Range(0, 1e6)]
Ratio = Annotated[float, Range(0)]  # what was computed of several figures
ClipName = Annotated[str, Length(4096)]
Tokens = Annotated[int, Range(0, 10_000_000)]
#: What was said or transcribed: hours of it.
ClipText = Annotated[str, Length(300_000)]
#: Of a clip: no less than a sample.
AudioSeconds = Annotated[float, Range(1e-5, 1e7)]
#: `speech.scoring.Score`, of which other versions may know more or fewer keys.
ScoreFacts = Annotated[
    Mapping[str, Any],
    Keys(tuple((name, Rate | None) for name in ("wer", "wer_low", "wer_high", "cer"))),
]

# The moments at which memory is read, in order.
STAGES = ("after_import", "after_load", "after_first", "at_end")


@dataclass(frozen=True)
class Variant:
    """What the bundle's manifest says of it, so that results can be read without the bundle."""

    name: Name
    family: Name
    method: Name
    requested_sparsity: Share | None  # of the prunable weights
    achieved_sparsity: Share | None  # of the prunable weights
    model_sparsity: Share | None  # of every weight
    score: ScoreFacts | None  # WER and CER measured on the host
    model: Name = ""  # what was pruned; this and the next are empty in older journals
    precision: Name = ""


@dataclass(frozen=True)
class Sample:
    """One timed transcription."""

    clip: ClipName
    seconds: Seconds
    audio_seconds: AudioSeconds
    phases: Mapping[str, Seconds]  # by phase, as the recogniser names them
    tokens: Tokens | None = None
    turn: Count = 0  # which of the case's processes took it
    queued_seconds: Seconds | None = None  # that its threads stood in line for a processor


@dataclass(frozen=True)
class Heard:
    """What the recogniser made of a clip."""

    clip: ClipName
    reference: ClipText
    text: ClipText


@dataclass(frozen=True)
class Start:
    """What one process needed before it was warm, in seconds."""

    turn: Count
    import_seconds: Seconds
    load_seconds: Seconds
    first_seconds: Seconds


@dataclass(frozen=True)
class Conditions:
    """The machine while the case was measured; None where it does not say."""

    temperature_at_start: Celsius | None = None
    temperature_at_most: Celsius | None = None
    clock_mhz_at_least: Megahertz | None = None
    clock_mhz_at_most: Megahertz | None = None
    load_at_most: Load | None = None
    free_memory_mb_at_least: Count | None = None
    governor: str | None = None  # several, if it changed, joined by a comma
    radio: bool | None = None  # None too if it changed
    low_power: bool | None = None  # whether it ever was


@dataclass(frozen=True)
class Stretch:
    """A part of a sustained run: machines slow down as they heat up."""

    start_seconds: Annotated[float, Range(0, 1e10)]  # since the first warm sample
    samples: Count
    median: Seconds
    p90: Seconds | None
    temperature: Celsius | None  # median, as the clock
    clock_mhz: Megahertz | None


@dataclass(frozen=True)
class Measurement:
    """Seconds and bytes throughout. With `error` set, whatever was not reached is empty.

    Of several processes: what happens once in each is the median, memory is the largest.
    """

    bundle: Annotated[str, Length(4096)]  # folder it was measured from
    name: Name
    measured_at: Moment
    threads: Annotated[int, Range(0, 100_000)]
    bundle_sha256: Name | None = None  # of its manifest, which names every file's hash
    error: Sentence | None = None
    variant: Variant | None = None
    warm_up: Count = 0
    import_seconds: Seconds | None = None  # the recogniser's libraries, without Python's own start
    load_seconds: Seconds | None = None  # opening the bundle and building the sessions
    first_seconds: Seconds | None = None  # the first, cold transcription
    samples: tuple[Sample, ...] = ()
    latency: Latency | None = None
    phase_medians: Mapping[str, Seconds] = field(default_factory=dict)
    real_time_factor: Ratio | None = None  # median over the samples of seconds / audio seconds
    audio_seconds: Ratio | None = None  # of the clips together, each once
    memory: Mapping[str, MemoryReading] = field(default_factory=dict)  # by stage, see STAGES
    transcripts: tuple[Heard, ...] = ()
    device_bytes: Bytes | None = None  # the files a device needs
    bundle_bytes: Bytes | None = None  # every file of the bundle
    environment: Mapping[str, Fact] = field(default_factory=dict)
    loaded_forbidden: tuple[Name, ...] = ()
    case: Name | None = None  # its id in the job
    job: Name | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reason: Name | None = None  # of which kind the error is: crash, timeout, memory, input
    verdicts: tuple[Name, ...] = ()  # see bench.agent.verdicts
    turns: Count = 0  # processes that were measured to their end
    starts: tuple[Start, ...] = ()
    tokens_per_second: Ratio | None = None  # of a decoder that makes one after another
    token_seconds: Ratio | None = None  # median of a step after the first token
    conditions: Conditions | None = None
    queued_share: Ratio | None = None  # of its threads' time, that others had the processor
    watts: Watts | None = None  # of the whole board, while samples were taken
    joules_per_clip: Ratio | None = None
    sustained: tuple[Stretch, ...] = ()
    score: ScoreFacts | None = None  # speech.scoring.Score of the transcripts, by the host
    corpus: Name = ""  # what the timed clips are of; this and the next are empty in older jobs
    corpus_set: Name = ""  # all of its clips, see speech.clip_set
    clip_set: Name = ""  # those that were timed
    clips: Count | None = None  # how many they are

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

    def with_clips(self) -> Measurement:
        """With those that were timed, which older versions left to the transcripts to say."""
        heard = self.transcripts
        if self.clip_set or not heard:
            return self
        named = clip_set((one.clip, one.reference) for one in heard)
        return replace(self, clip_set=named, clips=len(heard))
