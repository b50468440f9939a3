"""What a journal's lines say. The agent writes them, host and agent read them back.

A kind that this version does not know comes from a newer agent: it is kept as it is and skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from bench.agent.clock import Stamp
from bench.agent.measurement import Fact, Variant
from bench.agent.memory import MemoryReading
from speech.parsed import json_from
from speech.records import record_from

PhaseName: TypeAlias = Literal["import", "load", "first"]
#: Why a turn failed: it broke, it hung, memory ran out, or bundle, clip or setting are at fault.
Reason: TypeAlias = Literal["crash", "timeout", "memory", "input"]


@dataclass(frozen=True)
class JobStarted:
    """Again at each resume."""

    kind: ClassVar[str] = "job_started"
    job: str
    agent: str  # its version
    resumed: bool
    environment: Mapping[str, Fact]


@dataclass(frozen=True)
class CaseStarted:
    """What the bundle's manifest says, before anything of it is run; absent for no bundle."""

    kind: ClassVar[str] = "case_started"
    case: str
    name: str
    bundle_sha256: str
    variant: Variant
    device_bytes: int  # the files a device needs
    bundle_bytes: int  # every file of the bundle


@dataclass(frozen=True)
class TurnStarted:
    """A fresh process; `turn` counts on over resumes, so that no two share a number."""

    kind: ClassVar[str] = "turn_started"
    case: str
    turn: int
    pid: int


@dataclass(frozen=True)
class Phase:
    kind: ClassVar[str] = "phase"
    case: str
    turn: int
    name: PhaseName
    seconds: float
    memory: MemoryReading  # at its end


@dataclass(frozen=True)
class Sampled:
    """One timed transcription; `clip` is the place in the job's list, from 0."""

    kind: ClassVar[str] = "sample"
    case: str
    turn: int
    clip: int
    seconds: float
    audio_seconds: float
    phases: Mapping[str, float]
    tokens: int
    queued_seconds: float | None = None  # that its threads stood in line for a processor


@dataclass(frozen=True)
class Transcribed:
    kind: ClassVar[str] = "transcript"
    case: str
    turn: int
    clip: int
    text: str


@dataclass(frozen=True)
class TurnEnded:
    """`reason` says of which kind an error is; a turn without this event never counts."""

    kind: ClassVar[str] = "turn_ended"
    case: str
    turn: int
    memory: MemoryReading | None = None
    error: str | None = None
    reason: Reason | None = None
    loaded_forbidden: tuple[str, ...] = ()  # the host's libraries that it had imported


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; None where it does not say."""

    kind: ClassVar[str] = "reading"
    temperature: float | None = None  # degrees Celsius
    clock_mhz: float | None = None
    governor: str | None = None
    throttled: int | None = None  # bits as `vcgencmd get_throttled` has them
    load: float | None = None  # of the last minute, as the system counts it
    free_memory_mb: int | None = None
    swap_used_mb: int | None = None
    radio: bool | None = None  # whether Wi-Fi is up
    watts: float | None = None
    low_power: bool | None = None


@dataclass(frozen=True)
class Waiting:
    """The machine is let cool down to `until` degrees, for `seconds` at most."""

    kind: ClassVar[str] = "waiting"
    seconds: float
    temperature: float
    until: float


@dataclass(frozen=True)
class CaseEnded:
    kind: ClassVar[str] = "case_ended"
    case: str
    error: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class JobEnded:
    kind: ClassVar[str] = "job_ended"
    cases: int
    failed: int


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
        return Unknown(kind, table)
    event: Event = record_from(_KINDS[kind], table)
    return event
