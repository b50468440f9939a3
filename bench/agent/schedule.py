"""Whose turn it is: cases take turns in rounds, so that a slow drift falls on all of them alike.

Nothing is remembered but the journal: who resumes a job goes on exactly as if nothing happened.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from bench.agent.interval import median_interval
from bench.agent.job import Case, Job, Plan
from bench.agent.ledger import Ledger, Turn

#: Processes that a median is asked of, for one may see nothing but a slow spell of the machine.
_FEWEST_TURNS = 3

#: Samples that no run ever takes: its seconds end it.
_ENDLESS = 2**62


@dataclass(frozen=True)
class TurnPlan:
    """What one measuring process is to do."""

    case: Case
    number: int
    first_clip: int  # where the round of the clips goes on
    samples: int  # timed transcriptions at most
    hear_all: bool  # each clip once, whatever that takes, and its text told
    seconds: float  # after which it takes no further sample


def next_turn(job: Job, ledger: Ledger) -> TurnPlan | None:
    """The next turn of the first case, in this round's order, that had none in it yet."""
    done = {case.id: len(ledger.good_turns(case.id)) for case in job.cases}
    waiting = [case for case in job.cases if not is_finished(job, ledger, case.id)]
    if not waiting:
        return None
    current = min(done[case.id] for case in waiting)
    order = round_order(job, current)
    case = min(
        (case for case in waiting if done[case.id] == current),
        key=lambda case: order.index(case.id),
    )
    return _planned(job, ledger, case)


def round_order(job: Job, number: int) -> list[str]:
    """Drawn anew each round; the same for the same seed."""
    cases = [case.id for case in job.cases]
    random.Random(f"{job.seed}/{number}").shuffle(cases)
    return cases


def is_finished(job: Job, ledger: Ledger, case: str) -> bool:
    """Whether the case failed, or has had what the plan gives it."""
    turns = ledger.all_turns(case)
    if case in ledger.case_ends or any(turn.end and turn.end.error for turn in turns):
        return True
    return bool(turns) and (job.plan.sustained_seconds is not None or _is_enough(job.plan, turns))


def _is_enough(plan: Plan, turns: list[Turn]) -> bool:
    samples = [sample for turn in turns for _, sample in turn.samples]
    if len(samples) >= plan.max_samples or _spent(turns) >= plan.budget_seconds:
        return True
    if len(samples) < plan.min_samples or len(turns) < _FEWEST_TURNS:
        return False
    interval = median_interval((sample.clip, sample.seconds) for sample in samples)
    return interval is not None and interval.half_width <= plan.tightness


def _planned(job: Job, ledger: Ledger, case: Case) -> TurnPlan:
    plan, turns = job.plan, ledger.good_turns(case.id)
    taken = sum(len(turn.samples) for turn in turns)
    left = plan.max_samples - taken
    samples = math.ceil(left / math.ceil(left / plan.turn_samples))  # in turns of one length
    seconds = plan.budget_seconds - _spent(turns)
    if plan.sustained_seconds is not None:
        samples, seconds = _ENDLESS, plan.sustained_seconds
    return TurnPlan(
        case=case,
        number=ledger.next_number(case.id),
        first_clip=taken % len(job.clips),
        samples=samples,
        hear_all=not turns,
        seconds=seconds,
    )


def _spent(turns: list[Turn]) -> float:
    return sum(turn.seconds for turn in turns)
