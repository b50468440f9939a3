"""Whether a number may be believed: every reason against it, or VALID."""

from __future__ import annotations

from collections.abc import Sequence

from bench.agent.events import Reading
from bench.agent.interval import Interval
from bench.agent.job import Plan
from bench.agent.ledger import Turn
from bench.agent.memory import MemoryReading
from bench.agent.readings import ARM_CAPPED, SINCE_BOOT, SOFT_LIMIT, THROTTLED, UNDER_VOLTAGE

VALID = "VALID"
THROTTLED_VERDICT = "THROTTLED"  # the processor was slowed down while this was measured
UNDER_VOLTED = "UNDER_VOLTED"  # the power supply did not hold its voltage
SWAPPED = "SWAPPED"  # memory was moved to the disk
NOISY = "NOISY"  # others took the processor, or the median is not known well enough
TOO_FEW = "TOO_FEW"  # fewer samples than the plan asked for, or than an interval needs
EMULATED = "EMULATED"  # an emulator ran it: speed, memory and heat are the host's

#: Half an interval's width, as a share of the median, that two variants are still told apart by.
_TOO_WIDE = 0.05
#: Of its threads' time, what others may have of the processor.
_TOO_CROWDED = 0.05
#: MiB by which the used swap may grow without anybody calling it swapping.
_SWAP_SLACK = 4


def verdicts_on(
    plan: Plan,
    turns: Sequence[Turn],
    *,
    interval: Interval | None,
    queued_share: float | None,
    emulated: bool,
) -> tuple[str, ...]:
    """Of a case that was measured; in this order, so that equal ones look alike."""
    samples = sum(len(turn.samples) for turn in turns)
    slowed = ARM_CAPPED | THROTTLED | SOFT_LIMIT
    against = {
        THROTTLED_VERDICT: any(_had(turn, slowed) for turn in turns),
        UNDER_VOLTED: any(_had(turn, UNDER_VOLTAGE) for turn in turns),
        SWAPPED: any(_swapped(turn) for turn in turns),
        NOISY: (queued_share or 0) > _TOO_CROWDED or _is_wide(plan, interval),
        TOO_FEW: samples < plan.min_samples or interval is None,
        EMULATED: emulated,
    }
    return tuple(name for name, holds in against.items() if holds) or (VALID,)


def _is_wide(plan: Plan, interval: Interval | None) -> bool:
    return interval is not None and interval.half_width > max(plan.tightness, _TOO_WIDE)


def _had(turn: Turn, bits: int) -> bool:
    """Whether one of the bits was set meanwhile.

    Between two readings, only those tell that stay set once they were: new ones are of this turn.
    """
    told = [reading.throttled for reading in _readings(turn) if reading.throttled is not None]
    new = told[-1] & ~told[0] if told else 0
    return any(now & bits for now in told) or bool(new & bits << SINCE_BOOT)


def _swapped(turn: Turn) -> bool:
    """The process itself was, or the machine made room for it."""
    if any((memory.swap_bytes or 0) > 0 for memory in _memories(turn)):
        return True
    used = [r.swap_used_mb for r in _readings(turn) if r.swap_used_mb is not None]
    return bool(used) and max(used) - used[0] > _SWAP_SLACK


def _readings(turn: Turn) -> list[Reading]:
    return [reading for _, reading in turn.readings]


def _memories(turn: Turn) -> list[MemoryReading]:
    ends = [turn.end.memory] if turn.end and turn.end.memory else []
    return [phase.memory for phase in turn.phases] + ends
