"""What a run tells while it works, for people's bars and for machines' lines."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Planned:
    """How many bundles there are to be, which are still to be made, and which are there."""

    bundles: int
    to_build: tuple[str, ...]
    done: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    label: str
    done: int
    total: int


@dataclass(frozen=True)
class Built:
    bundle: str
    said: str


@dataclass(frozen=True)
class Refused:
    """A bundle that cannot be made."""

    bundle: str
    why: str
    #: Whether the method cannot make it, however often it is tried.
    for_good: bool = False


@dataclass(frozen=True)
class Warned:
    about: str
    said: str


@dataclass(frozen=True)
class Measured:
    bundle: str
    device: str
    error: str | None = None


@dataclass(frozen=True)
class Written:
    """A file about the whole run."""

    path: str


Event = Planned | Progress | Built | Refused | Warned | Measured | Written

Hear = Callable[[Event], None]


def to_json(event: Event) -> str:
    """One line, `event` says of which kind."""
    content: dict[str, Any] = {"event": type(event).__name__.lower()} | asdict(event)
    return json.dumps(content)
