"""What a journal's lines mean to somebody who waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.agent.events import CaseEnded, Stamped, Waiting
from bench.agent.job import Job
from bench.counting import Counting
from bench.remote.courier import Report
from bench.store.journal_lines import LineReader
from speech.lines import RawLine
from speech.records import brief


@dataclass
class Progress:
    """Counts transcriptions, reports the cases that failed, and hands every event on."""

    job: Job
    report: Report
    say: Callable[[str], None]
    pass_on: Callable[[Stamped], None] = lambda stamped: None
    _first: bytes | None = None  # when it comes again, the journal is read anew
    _lines: int = 0

    def hear(self, line: bytes) -> None:
        """A line that is not of this job is not our business: the fold complains about it."""
        if self._first in (None, line):
            self._first, self._lines, self._reader = line, 0, LineReader(self.job)
            self._counting = Counting(self.job)
        self._lines += 1
        try:
            stamped = self._reader.read(RawLine(self._lines, line)).stamped
        except ValueError:
            return
        event = stamped.event
        if isinstance(event, CaseEnded) and event.error:
            self.say(f"{event.case} failed: {brief(event.error)}")
        elif isinstance(event, Waiting):
            self.say(f"cooling down from {event.temperature:.0f} to {event.until:.0f} degrees")
        if self._counting.hear(stamped):
            self.report("measuring", self._counting.done, self._counting.total)
        self.pass_on(stamped)
