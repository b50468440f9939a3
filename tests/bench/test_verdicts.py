"""Which readings make a number one that must not be believed, and which do not."""

from __future__ import annotations

import pytest

from bench.agent.contention import queued_in
from bench.agent.cooling import pause
from bench.agent.events import JobStarted, Phase, Reading, Sampled, TurnEnded, TurnStarted
from bench.agent.failure import ended_badly
from bench.agent.job import Plan
from bench.agent.memory import MemoryReading
from bench.agent.summary import summarise_job
from tests.bench.jobs import Pen, paper_job

STEADY = [1.0, 1.01, 0.99, 1.0, 1.01, 0.99, 1.0, 1.0]


def verdicts(
    *readings: Reading,
    before: Reading | None = None,
    after: Reading | None = None,
    seconds: list[float] = STEADY,
    swap: int = 0,
    queued: float | None = None,
    environment: dict[str, list[str]] | None = None,
) -> tuple[str, ...]:
    """Of one turn, with readings before, during and after it."""
    job, pen = paper_job("a", clips=1), Pen()
    pen.write(JobStarted(job.id, "1", False, environment or {}))
    pen.write(*[before] if before else [])
    pen.write(TurnStarted("a", 0, 1), Phase("a", 0, "load", 1.0, MemoryReading(1, 1, swap)))
    pen.write(*readings)
    pen.write(*[Sampled("a", 0, 0, value, 1.0, {}, 1, queued) for value in seconds])
    pen.write(TurnEnded("a", 0, MemoryReading(1, 1, 0)))
    pen.write(*[after] if after else [])
    return summarise_job(job, pen.events)[0].verdicts


def test_a_quiet_run_is_valid() -> None:
    calm = Reading(throttled=0, swap_used_mb=3)
    assert verdicts(calm, before=calm, after=calm) == ("VALID",)
    assert verdicts() == ("VALID",)  # a machine that says nothing of itself


@pytest.mark.parametrize(
    ("bits", "verdict"),
    [
        (0x50005, ("THROTTLED", "UNDER_VOLTED")),
        (0x1, ("UNDER_VOLTED",)),
        (0x2, ("THROTTLED",)),
        (0x8, ("THROTTLED",)),
    ],
)
def test_what_the_firmware_says_now_counts(bits: int, verdict: tuple[str, ...]) -> None:
    assert verdicts(Reading(throttled=bits)) == verdict


def test_what_happened_before_the_turn_does_not_count_but_what_is_new_does() -> None:
    """The bits since boot stay set; between two readings they are all that tells."""
    old = Reading(throttled=0x50000)
    assert verdicts(old, before=old, after=old) == ("VALID",)
    assert verdicts(before=Reading(throttled=0), after=old) == ("THROTTLED", "UNDER_VOLTED")
    assert verdicts(before=old, after=Reading(throttled=0xD0000)) == ("THROTTLED",)


def test_swapping_of_the_process_or_because_of_it() -> None:
    assert verdicts(swap=4096) == ("SWAPPED",)
    grown = Reading(swap_used_mb=40)
    assert verdicts(before=Reading(swap_used_mb=10), after=grown) == ("SWAPPED",)
    assert verdicts(grown, before=grown) == ("VALID",)


def test_others_at_work_are_noise_even_where_samples_agree() -> None:
    assert verdicts(queued=0.01) == ("VALID",)
    assert verdicts(queued=0.3) == ("NOISY",)
    assert queued_in("1234500000 250000000 77\n") == 0.25
    assert queued_in("") is None


def test_too_few_too_noisy_and_emulated() -> None:
    assert verdicts(seconds=[1.0] * 7) == ("TOO_FEW",)
    assert verdicts(seconds=[1.0, 2.0, 1.5, 0.7, 1.9, 1.1, 1.3, 0.8]) == ("NOISY",)
    assert verdicts(environment={"emulation": ["processes run in qemu"]}) == ("EMULATED",)


def test_a_wait_begins_above_the_start_and_two() -> None:
    assert pause(Plan(), at_start=40, now=42) is None
    waiting = pause(Plan(), at_start=40, now=42.5)
    assert waiting is not None
    assert (waiting.until, waiting.seconds) == (42, 300)
    assert pause(Plan(cool_to_degrees=60), at_start=40, now=59) is None
    assert pause(Plan(), at_start=None, now=80) is None


@pytest.mark.parametrize(
    ("code", "log", "reason", "words"),
    [
        (-9, "", "memory", "Was killed (SIGKILL)"),
        (-6, "terminate called\n  what():  std::bad_alloc\n", "memory", "the limit is 64 MB"),
        (1, "Traceback\nMemoryError\n\n", "memory", "Memory ran out"),
        (1, "OpenBLAS error: Memory allocation still failed after 10 retries", "memory", "10 retr"),
        (-11, "", "crash", "Crashed with SIGSEGV."),
        (7, "first\nlast words\n", "crash", "ended with code 7: last words"),
    ],
)
def test_how_a_process_ended_becomes_a_reason(code: int, log: str, reason: str, words: str) -> None:
    end = ended_badly("a", 0, code, log, limit_mb=64)
    assert end.reason == reason
    assert words in str(end.error)
