"""When to let the machine cool down: later cases must not pay for the heat of earlier ones."""

from __future__ import annotations

from bench.agent.events import Waiting
from bench.agent.job import Plan

#: Degrees above the start that nothing slows down for.
_SLACK = 2.0


def pause(plan: Plan, *, at_start: float | None, now: float | None) -> Waiting | None:
    """The wait before the next turn; None if the machine is cool, or does not say how hot it is."""
    if at_start is None or now is None:
        return None
    until = at_start + _SLACK if plan.cool_to_degrees is None else plan.cool_to_degrees
    return Waiting(plan.cool_wait_seconds, now, until) if now > until else None
