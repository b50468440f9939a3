"""The plain records that the app is handed; nothing in them can be asked for more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from bench.agent.measurement import Measurement
from bench.rows import Row
from runtime.bundle import Manifest
from tui.source.shown import NOT_SHOWN
from tui.tradeoffs.budgets import Limits

if TYPE_CHECKING:
    from prune.damage import Sensitivity

#: How the ids of devices' places begin, and the id of that where every device is.
OF_DEVICE, ALL_DEVICES = "device:", "all"

Kind = Literal["measured", "estimated"]


@dataclass(frozen=True)
class Place:
    """A device that was measured on, or a profile that there are only guesses for."""

    id: str = field(metadata=NOT_SHOWN)
    name: str
    kind: Kind
    about: str = ""
    count: int | None = None  # of results; None where nobody has counted them
    limits: Limits = field(default_factory=Limits)

    @property
    def device(self) -> str:
        """As results call it."""
        return self.id.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Record:
    """A result, the newest of its bundle in these settings."""

    key: str
    row: Row


@dataclass(frozen=True)
class Detail:
    """What only the selected result is asked for."""

    key: str
    measurement: Measurement
    manifest: Manifest | None = None
    bundle: Path | None = None  # where it lies on this machine, as it was measured


@dataclass(frozen=True)
class Computed:
    """Billions of operations for one clip, of a variant and of the dense model."""

    key: str
    giga: float
    dense_giga: float | None = None


@dataclass(frozen=True)
class Sensitivities:
    """Those that were found, and a sentence for each file that holds none."""

    found: Sequence[Sensitivity] = ()
    faults: Sequence[str] = ()


class Source(Protocol):
    """What the app asks of its data; every method may take its time and raise BadInput."""

    title: str
    id: str  # the whole path: what is remembered of these results belongs to no others

    @property
    def faults(self) -> Sequence[str]:
        """Sentences on what had to be left out when it was read last."""
        ...

    def places(self) -> Sequence[Place]: ...

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        """In batches, the first of them soon."""
        ...

    def detail(self, record: Record) -> Detail: ...

    def past(self, record: Record) -> Sequence[Record]:
        """Every result of bundles of that name, oldest first."""
        ...

    def computed(self, detail: Detail, dense: Detail | None) -> Computed | None: ...

    def sensitivities(self) -> Sensitivities: ...

    def land(self, folder: Path, device: str, bundles: Sequence[tuple[Path, str]]) -> None:
        """Take in what a job has measured so far; bundles lie here and have these hashes."""
        ...

    def stamp(self) -> object:
        """Another one as soon as there is something new to read."""
        ...
