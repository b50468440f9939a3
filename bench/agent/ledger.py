"""What of a journal counts: one pass over its events, in the order in which they were written.

The supervisor keeps one while it runs, builds it again from the journal when it resumes, and the
fold into measurements begins with it; so all three agree on what has been measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.agent.events import (
    CaseEnded,
    CaseStarted,
    JobEnded,
    JobStarted,
    Phase,
    Reading,
    Sampled,
    Stamped,
    Transcribed,
    TurnEnded,
    TurnStarted,
)
from bench.agent.measurement import Fact


@dataclass
class Turn:
    """One measuring process, from its start to its end, and the readings taken meanwhile."""

    case: str
    number: int
    at: str  # when it started, on the wall clock
    started: float  # on the monotonic clock, as all that follows
    ended: float = 0.0
    phases: list[Phase] = field(default_factory=list)
    samples: list[tuple[float, Sampled]] = field(default_factory=list)
    transcripts: list[Transcribed] = field(default_factory=list)
    readings: list[tuple[float, Reading]] = field(default_factory=list)
    end: TurnEnded | None = None

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Ledger:
    """Turns that ended, by case; what a turn without an end had measured is dropped."""

    def __init__(self, events: Iterable[Stamped] = ()):
        self.started = 0  # how often the job was started
        self.environment: Mapping[str, Fact] = {}
        self.cases: dict[str, CaseStarted] = {}
        self.case_ends: dict[str, CaseEnded] = {}
        self.job_ended = False
        self.first_temperature: float | None = None
        self.latest: Reading | None = None
        self.readings = 0  # how many there were
        self._turns: dict[str, list[Turn]] = {}
        self._begun: Counter[str] = Counter()
        self._unended: Counter[str] = Counter()
        self._open: Turn | None = None
        self._closed: Turn | None = None  # has ended, and awaits the first reading after it
        for event in events:
            self.add(event)

    def good_turns(self, case: str) -> list[Turn]:
        """The turns that count: they ended, and without an error."""
        return [turn for turn in self.all_turns(case) if turn.end and turn.end.error is None]

    def all_turns(self, case: str) -> list[Turn]:
        """The turns that ended, also the one that ended the case with an error."""
        return self._turns.get(case, [])

    def next_number(self, case: str) -> int:
        """Of a turn that has not begun yet; interrupted ones keep theirs."""
        return self._begun[case]

    def cut_off(self, case: str) -> int:
        """How many turns in a row began and never ended, the one that runs now aside."""
        running = self._open is not None and self._open.case == case
        return self._unended[case] - running

    def add(self, stamped: Stamped) -> None:
        event, mono = stamped.event, stamped.stamp.mono
        match event:
            case JobStarted():
                self.started += 1
                self._open = self._closed = self.latest = None  # whatever ran then was cut off
                self.environment = event.environment
            case CaseStarted():
                self.cases[event.case] = event
            case TurnStarted():
                self._open = Turn(event.case, event.turn, stamped.stamp.at, mono)
                if self.latest:
                    self._open.readings.append((mono, self.latest))
                self._begun[event.case] = max(self._begun[event.case], event.turn + 1)
                self._unended[event.case] += 1
            case Reading():
                self._add_reading(mono, event)
            case CaseEnded():
                self.case_ends[event.case] = event
            case JobEnded():
                self.job_ended = True
            case Phase() | Sampled() | Transcribed() | TurnEnded():
                self._add_to_turn(mono, event)

    def _add_reading(self, mono: float, reading: Reading) -> None:
        """A turn has those taken while it ran, and one on either side: some bits only last."""
        self.latest = reading
        self.readings += 1
        if self.first_temperature is None:
            self.first_temperature = reading.temperature
        for turn in (self._open, self._closed):
            if turn:
                turn.readings.append((mono, reading))
        self._closed = None

    def _add_to_turn(self, mono: float, event: Phase | Sampled | Transcribed | TurnEnded) -> None:
        turn = self._open
        if turn is None or (turn.case, turn.number) != (event.case, event.turn):
            return
        match event:
            case Phase():
                turn.phases.append(event)
            case Sampled():
                turn.samples.append((mono, event))
            case Transcribed():
                turn.transcripts.append(event)
            case TurnEnded():
                turn.end, turn.ended = event, mono
                self._turns.setdefault(turn.case, []).append(turn)
                self._unended[turn.case] = 0
                self._open, self._closed = None, turn
