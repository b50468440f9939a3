"""What a journal's lines mean to somebody who waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.agent.events import CaseEnded, Stamped, Waiting
from bench.remote.courier import Report


@dataclass
class Progress:
    """Counts the cases that are over, tells of those that failed, and hands every event on."""

    cases: int
    report: Report
    say: Callable[[str], None]
    pass_on: Callable[[Stamped], None] = lambda stamped: None
    _over: set[str] = field(default_factory=set)

    def hear(self, line: str) -> None:
        """A line that is no event is not our business: the fold complains about it."""
        try:
            stamped = Stamped.from_json(line)
        except ValueError:
            return
        event = stamped.event
        if isinstance(event, CaseEnded):
            self._over.add(event.case)
            if event.error:
                self.say(f"{event.case} failed: {event.error}")
        elif isinstance(event, Waiting):
            self.say(f"cooling down from {event.temperature:.0f} to {event.until:.0f} degrees")
        self.report("measuring", len(self._over), self.cases)
        self.pass_on(stamped)
