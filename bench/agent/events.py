"""What a journal's lines say. The agent writes them, host and agent read them back.

A kind that this version does not know comes from a newer agent: it is kept as it is and skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from bench.agent.clock import Stamp
from bench.agent.measurement import (
    AudioSeconds,
    Celsius,
    ClipText,
    Fact,
    Load,
    Megahertz,
    Tokens,
    Variant,
    Watts,
)
from bench.agent.memory import MemoryReading
from speech.parsed import json_from
from speech.records import Bytes, Count, Name, Range, Seconds, Sentence, record_from, value_from

PhaseName: TypeAlias = Literal["import", "load", "first"]
#: Why a turn failed: it broke, it hung, memory ran out, or bundle, clip or setting are at fault.
Reason: TypeAlias = Literal["crash", "timeout", "memory", "input"]
TurnNumber = Annotated[int, Range(0, 1_000_000)]
ClipNumber = Annotated[int, Range(0, 1_000_000)]


@dataclass(frozen=True)
class JobStarted:
    """Again at each resume."""

    kind: ClassVar[str] = "job_started"
    job: Name
    agent: Name  # its version
    resumed: bool
    environment: Mapping[str, Fact]


@dataclass(frozen=True)
class CaseStarted:
    """What the bundle's manifest says, before anything of it is run; absent for no bundle."""

    kind: ClassVar[str] = "case_started"
    case: Name
    name: Name
    bundle_sha256: Name
    variant: Variant
    device_bytes: Bytes  # the files a device needs
    bundle_bytes: Bytes  # every file of the bundle


@dataclass(frozen=True)
class TurnStarted:
    """A fresh process; `turn` counts on over resumes, so that no two share a number."""

    kind: ClassVar[str] = "turn_started"
    case: Name
    turn: TurnNumber
    pid: Count


@dataclass(frozen=True)
class Phase:
    kind: ClassVar[str] = "phase"
    case: Name
    turn: TurnNumber
    name: PhaseName
    seconds: Seconds
    memory: MemoryReading  # at its end


@dataclass(frozen=True)
class Sampled:
    """One timed transcription; `clip` is the place in the job's list, from 0."""

    kind: ClassVar[str] = "sample"
    case: Name
    turn: TurnNumber
    clip: ClipNumber
    seconds: Seconds
    audio_seconds: AudioSeconds
    phases: Mapping[str, Seconds]
    tokens: Tokens
    queued_seconds: Seconds | None = None  # that its threads stood in line for a processor


@dataclass(frozen=True)
class Transcribed:
    kind: ClassVar[str] = "transcript"
    case: Name
    turn: TurnNumber
    clip: ClipNumber
    text: ClipText


@dataclass(frozen=True)
class TurnEnded:
    """`reason` says of which kind an error is; a turn without this event never counts."""

    kind: ClassVar[str] = "turn_ended"
    case: Name
    turn: TurnNumber
    memory: MemoryReading | None = None
    error: Sentence | None = None
    reason: Reason | None = None
    loaded_forbidden: tuple[Name, ...] = ()  # the host's libraries that it had imported


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; None where it does not say."""

    kind: ClassVar[str] = "reading"
    temperature: Celsius | None = None
    clock_mhz: Megahertz | None = None
    governor: Name | None = None
    throttled: Annotated[int, Range(0, 2**32)] | None = None  # as `vcgencmd get_throttled` has it
    load: Load | None = None  # of the last minute, as the system counts it
    free_memory_mb: Count | None = None
    swap_used_mb: Count | None = None
    radio: bool | None = None  # whether Wi-Fi is up
    watts: Watts | None = None
    low_power: bool | None = None


@dataclass(frozen=True)
class Waiting:
    """The machine is let cool down to `until` degrees, for `seconds` at most."""

    kind: ClassVar[str] = "waiting"
    seconds: Seconds
    temperature: Celsius
    until: Celsius


@dataclass(frozen=True)
class CaseEnded:
    kind: ClassVar[str] = "case_ended"
    case: Name
    error: Sentence | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class JobEnded:
    kind: ClassVar[str] = "job_ended"
    cases: Count
    failed: Count


@dataclass(frozen=True)
class Unknown:
    """An event of a newer agent, as it was written."""

    kind: str
    fields: Mapping[str, Any]


Event: TypeAlias = (
    JobStarted
    | CaseStarted
    | TurnStarted
    | Phase
    | Sampled
    | Transcribed
    | TurnEnded
    | Reading
    | Waiting
    | CaseEnded
    | JobEnded
    | Unknown
)

_KINDS: dict[str, Any] = {
    kind.kind: kind
    for kind in (
        JobStarted,
        CaseStarted,
        TurnStarted,
        Phase,
        Sampled,
        Transcribed,
        TurnEnded,
        Reading,
        Waiting,
        CaseEnded,
        JobEnded,
    )
}


@dataclass(frozen=True)
class Stamped:
    """One line of the journal."""

    stamp: Stamp
    event: Event

    def to_json(self) -> str:
        return _line({"kind": self.event.kind, **asdict(self.stamp), **_fields(self.event)})

    @classmethod
    def from_json(cls, line: str) -> Stamped:
        """Raises ValueError, with the reason, for anything `to_json` would not write."""
        table = _table(line)
        stamp = {key: table.pop(key) for key in ("at", "mono", "boot") if key in table}
        return cls(record_from(Stamp, stamp), _event(table))


def event_to_json(event: Event) -> str:
    """A line without a stamp, as a measuring process or the sampler hands it to the supervisor."""
    return _line({"kind": event.kind, **_fields(event)})


def event_from_json(line: str) -> Event:
    """Raises ValueError with the reason."""
    return _event(_table(line))


def _line(table: Mapping[str, Any]) -> str:
    return json.dumps(table, ensure_ascii=False, allow_nan=False)


def _fields(event: Event) -> dict[str, Any]:
    return dict(event.fields) if isinstance(event, Unknown) else asdict(event)


def _table(line: str) -> dict[str, Any]:
    table = json_from(line)
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise ValueError("it is not an object with a 'kind'")
    return table


def _event(table: dict[str, Any]) -> Event:
    kind = table.pop("kind")
    if kind not in _KINDS:
        return Unknown(value_from(Name, kind, "kind"), value_from(Mapping[str, Any], table, kind))
    event: Event = record_from(_KINDS[kind], table)
    return event
