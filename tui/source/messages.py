"""What a feed tells the app; tests send the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from tui.source.jobs import Recording
from tui.source.records import Computed, Detail, Place, Record, Sensitivities


@dataclass
class PlacesRead(Message):
    places: Sequence[Place]
    faults: Sequence[str] = ()


@dataclass
class RecordsRead(Message):
    """A batch; `is_first` begins anew, and after `is_last`, which is empty, nothing comes."""

    place: Place
    records: Sequence[Record]
    is_first: bool
    is_last: bool


@dataclass
class DetailRead(Message):
    detail: Detail


@dataclass
class ComputedRead(Message):
    computed: Computed


@dataclass
class PastRead(Message):
    record: Record
    past: Sequence[Record]


@dataclass
class SensitivitiesRead(Message):
    read: Sensitivities


@dataclass
class RecordingsRead(Message):
    recordings: Sequence[Recording]


@dataclass
class NewsArrived(Message):
    """Something was written to what the source reads."""


@dataclass
class ReadFailed(Message):
    """One sentence for people, and what was asked for."""

    sentence: str
    question: str = ""
