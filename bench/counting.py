"""How far a job is, in transcriptions: cases take turns, so that all of them end near the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bench.agent.events import CaseEnded, Sampled, Stamped, TurnEnded, TurnStarted
from bench.agent.job import Job


@dataclass
class _Case:
    samples: int = 0
    seconds: float = 0.0  # of its turns that have ended, all that is in them
    timed: int = 0  # transcriptions in those
    started: float | None = None  # of the turn that is under way
    is_over: bool = False


@dataclass
class Counting:
    """Told of every event, says how many were timed and how many there will be at most."""

    job: Job
    _cases: dict[str, _Case] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cases = {case.id: _Case() for case in self.job.cases}

    def hear(self, stamped: Stamped) -> bool:
        """Whether the event changes anything."""
        event, now = stamped.event, stamped.stamp.mono
        if not isinstance(event, CaseEnded | Sampled | TurnEnded | TurnStarted):
            return False
        case = self._cases.setdefault(event.case, _Case())
        match event:
            case TurnStarted():
                case.started = now
            case Sampled():
                case.samples += 1
            case TurnEnded() if case.started is not None:
                case.seconds += max(0.0, now - case.started)
                case.timed, case.started = case.samples, None
            case CaseEnded():
                case.is_over = True
        return True

    @property
    def done(self) -> int:
        return sum(case.samples for case in self._cases.values())

    @property
    def total(self) -> int:
        return max(1, sum(self._expected(case) for case in self._cases.values()))

    def _expected(self, case: _Case) -> int:
        """As many as the plan allows in its seconds; less if the median is known sooner."""
        if case.is_over:
            return case.samples
        plan = self.job.plan
        most = max(plan.max_samples, len(self.job.clips))
        budget = plan.sustained_seconds or plan.budget_seconds
        if case.timed and case.seconds > 0:
            most = min(most, math.ceil(budget * case.timed / case.seconds))
        return max(most, plan.min_samples, case.samples + 1)
