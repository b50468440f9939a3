"""What the app is told of jobs that measure, and what it may ask of whoever runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from textual.message import Message

from bench.agent.events import Stamped
from tui.source.records import Record


@dataclass(frozen=True)
class Order:
    """What to measure on one device: variants that were measured before, or a bundle's folder."""

    device: str
    records: tuple[Record, ...] = ()
    folder: Path | None = None
    threads: tuple[int, ...] = (1,)
    samples: int | None = None  # None: until the median is known well enough
    budget_seconds: float | None = None  # of a case; None: as usual

    @property
    def names(self) -> list[str]:
        found = [record.row.name for record in self.records]
        return [*found, self.folder.name] if self.folder else found


@dataclass(frozen=True)
class Recording:
    """A job whose journal lies on this machine, whole or as far as it came."""

    device: str
    job: str
    folder: Path
    created: str
    cases: int
    has_ended: bool


@dataclass(frozen=True)
class Begun:
    """There is a job; its cases are taken in turns. Samples are of one case."""

    job: str
    cases: tuple[str, ...]
    least_samples: int | None = None
    most_samples: int | None = None


@dataclass(frozen=True)
class Said:
    """A sentence for people."""

    sentence: str


@dataclass(frozen=True)
class Counted:
    """How far something is that takes a while, such as sending bundles; in bytes or the like."""

    label: str
    done: int
    total: int


@dataclass(frozen=True)
class Heard:
    """A line of the journal."""

    stamped: Stamped


@dataclass(frozen=True)
class Landed:
    """There are results to be read that were not there before."""


Ending = Literal["done", "failed", "left"]


@dataclass(frozen=True)
class Over:
    """Nothing more comes. A job that was `left` goes on where it is measured."""

    ending: Ending
    sentence: str


News: TypeAlias = Begun | Said | Counted | Heard | Landed | Over
Tell = Callable[[News], None]


@dataclass
class JobNews(Message):
    """Of the run that the app knows by this number."""

    run: int
    news: News


class Going(Protocol):
    """Somebody who tells of a job from a thread of its own."""

    def leave(self, patience: float = 0.0) -> None:
        """Tell no more; wait so many seconds for the thread to end. The job itself goes on."""
        ...

    def stop(self) -> None:
        """The job itself, where it is measured; what comes of it is told."""
        ...


class Playing(Going, Protocol):
    """A recording that is played: the clock may stand, and run faster or slower."""

    speed: float
    is_paused: bool

    def pause(self) -> None:
        """Or go on."""
        ...

    def faster(self) -> None: ...

    def slower(self) -> None: ...

    def to_the_end(self) -> None: ...


class Runner(Protocol):
    """What runs jobs; each method may raise BadInput, and whatever takes long is told later."""

    def devices(self) -> Sequence[str]:
        """The user's, `this` first."""
        ...

    def recordings(self) -> Sequence[Recording]:
        """The newest first."""
        ...

    def start(self, order: Order, tell: Tell) -> Going: ...

    def attach(self, device: str, job: str | None, tell: Tell) -> Going:
        """Without a job to the newest one there."""
        ...

    def play(self, folder: Path, tell: Tell) -> Playing: ...
