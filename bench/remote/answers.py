"""What a device may answer to each errand; everything else is refused before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from bench.remote.connection import Link
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import Bytes, Count, Length, Name, Pattern, brief, record_from, value_from

Answer = TypeVar("Answer")

#: Of a device: absolute, and it can stand in a command.
Place = Annotated[str, Length(4096), Pattern(r"/[^\0\n]*", "an absolute path")]
_Text = Annotated[str, Length(10_000)]


@dataclass(frozen=True)
class Received:
    states: Mapping[str, Literal["whole", "short", "corrupted"]]


@dataclass(frozen=True)
class Assembled:
    """What of the wanted files is not there yet, with how many bytes are; and the folders."""

    missing: Mapping[str, Bytes]
    folders: Mapping[str, Place]


@dataclass(frozen=True)
class Ready:
    ready: bool


@dataclass(frozen=True)
class Installed:
    python: Place


@dataclass(frozen=True)
class Cleaned:
    freed_bytes: Bytes
    kept_folders: Count
    open_jobs: tuple[Name, ...]


@dataclass(frozen=True)
class Started:
    started: bool


@dataclass(frozen=True)
class Stopped:
    stopped: bool


@dataclass(frozen=True)
class KnownJob:
    id: Annotated[str, Pattern(r"[0-9A-Za-z]{1,64}", "a job's name")]
    created: Name
    host: Name
    running: bool
    ended: bool


@dataclass(frozen=True)
class KnownJobs:
    jobs: tuple[KnownJob, ...]


@dataclass(frozen=True)
class Described:
    job: Any


@dataclass(frozen=True)
class Ended:
    """How a supervisor ended, or that its journal is not the one that we have the beginning of."""

    exit: _Text = ""
    said: _Text = ""
    stopped: bool = False
    differs: bool = False


def answer_in(link: Link, kind: type[Answer], said: bytes) -> Answer:
    """Raises BadInput with the device's own problem, or with what is wrong with its answer."""
    name = link.device.name
    try:
        table = json_from(said.decode())
        if isinstance(table, dict) and "problem" in table:
            raise BadInput(f"{name}: {brief(value_from(str, table['problem'], 'problem'), 1000)}")
        return record_from(kind, table, "the answer")
    except ValueError as problem:
        raise BadInput(
            f"{name} answered what cannot be understood ({problem}): does its shell print anything "
            "when nobody logs in? If not, look at the device."
        ) from problem
