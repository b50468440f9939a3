"""From a journal to measurements: what counts, in which order cases take turns, what is summed."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agent.events import (
    CaseEnded,
    JobStarted,
    Phase,
    Reading,
    Sampled,
    Stamped,
    Transcribed,
    TurnEnded,
    TurnStarted,
)
from bench.agent.interval import median_interval
from bench.agent.job import Job
from bench.agent.ledger import Ledger
from bench.agent.measurement import Measurement
from bench.agent.memory import MemoryReading
from bench.agent.schedule import next_turn, round_order
from bench.agent.summary import summarise_job
from tests.bench.jobs import Pen, paper_job

MIB = 2**20


def write_turn(
    pen: Pen, case: str, number: int, seconds: list[float], *, ended: bool = True, watts: float = 0
) -> None:
    """One turn over two clips, with a reading before each sample."""
    pen.write(TurnStarted(case, number, 1))
    for index, name in enumerate(("import", "load", "first")):
        memory = MemoryReading((index + number + 1) * MIB, MIB, 0)
        pen.write(Phase(case, number, name, 0.5 + number, memory))  # type: ignore[arg-type]
    for place, value in enumerate(seconds):
        clip = place % 2
        phases = {"encode": value / 2, "prefill": value / 4, "decode": value / 4}
        pen.write(Reading(temperature=40.0 + place, clock_mhz=1500.0, watts=watts or None))
        pen.write(Sampled(case, number, clip, value, 2.0 + clip, phases, 10), step=value)
        if number == 0 and place < 2:
            pen.write(Transcribed(case, number, clip, f"heard {clip}"))
    if ended:
        pen.write(TurnEnded(case, number, MemoryReading(9 * MIB, MIB, 0)))


def started(job: Job, *, resumed: bool = False) -> JobStarted:
    return JobStarted(job.id, "1", resumed, {"cores": 4})


def test_a_case_is_summed_over_its_turns() -> None:
    job, pen = paper_job("a", "b"), Pen()
    pen.write(started(job))
    write_turn(pen, "a", 0, [1.0, 1.2, 1.0, 1.2], watts=5)
    write_turn(pen, "b", 0, [9.0])
    write_turn(pen, "a", 1, [1.1, 1.3, 1.1, 1.3], watts=5)
    pen.write(CaseEnded("a"))
    found, other = summarise_job(job, pen.events)
    assert (found.case, found.job, found.turns) == ("a", job.id, 2)
    assert [sample.turn for sample in found.samples] == [0] * 4 + [1] * 4
    assert found.latency is not None
    assert found.latency.median == pytest.approx(1.15)
    assert found.import_seconds == 1.0  # the median of 0.5 and 1.5
    assert [start.load_seconds for start in found.starts] == [0.5, 1.5]
    assert found.memory["after_load"].peak_bytes == 3 * MIB  # the larger of two processes
    assert found.memory["at_end"].peak_bytes == 9 * MIB
    assert found.real_time_factor == pytest.approx(
        statistics.median([0.5, 0.4, 0.5, 0.4, 0.55, 1.3 / 3, 0.55, 1.3 / 3])
    )
    assert found.tokens_per_second == pytest.approx(
        80 / (sum(s.seconds for s in found.samples) / 2)
    )
    assert found.token_seconds == pytest.approx(1.15 / 4 / 10)
    assert found.watts == pytest.approx(5)
    assert found.joules_per_clip == pytest.approx(5 * 9.2 / 8)
    assert [(h.reference, h.text) for h in found.transcripts] == [
        ("text 0", "heard 0"),
        ("text 1", "heard 1"),
    ]
    assert found.conditions is not None
    assert found.conditions.temperature_at_most == 43
    assert len(other.samples) == 1
    assert Measurement.from_json(found.to_json()) == found


def test_records_of_before_are_still_read() -> None:
    old = '{"bundle": "b", "name": "n", "measured_at": "2026", "threads": 1, "samples": [{"clip": '
    old += '"c", "seconds": 1.0, "audio_seconds": 2.0, "phases": {}}], "memory": {"at_end": '
    old += '{"peak_bytes": 5, "pss_bytes": null}}}'
    found = Measurement.from_json(old)
    assert found.peak_bytes == 5
    assert (found.verdicts, found.samples[0].tokens) == ((), None)


def test_what_a_turn_without_an_end_measured_does_not_count() -> None:
    job, pen = paper_job("a"), Pen()
    pen.write(started(job))
    write_turn(pen, "a", 0, [1.0, 1.2])
    write_turn(pen, "a", 1, [5.0, 5.0], ended=False)
    pen.write(started(job, resumed=True))
    assert Ledger(pen.events).next_number("a") == 2
    assert Ledger(pen.events).cut_off("a") == 1
    write_turn(pen, "a", 2, [1.1, 1.3])
    [found] = summarise_job(job, pen.events)
    assert [sample.seconds for sample in found.samples] == [1.0, 1.2, 1.1, 1.3]


def test_a_failed_turn_gives_its_reason_and_keeps_what_was_good() -> None:
    job, pen = paper_job("a", "b"), Pen()
    pen.write(started(job))
    write_turn(pen, "a", 0, [1.0, 1.2])
    write_turn(pen, "a", 1, [7.0], ended=False)
    pen.write(TurnEnded("a", 1, None, "Crashed with SIGSEGV.", "crash"))
    pen.write(CaseEnded("a", "Crashed with SIGSEGV.", "crash"))
    found, untouched = summarise_job(job, pen.events)
    assert (found.error, found.reason) == ("Crashed with SIGSEGV.", "crash")
    assert [sample.seconds for sample in found.samples] == [1.0, 1.2]
    assert (untouched.error, untouched.samples, untouched.name) == (None, (), "b")
    assert Ledger(pen.events).all_turns("a")[1].end is not None


@given(st.lists(st.text(max_size=30), min_size=40, max_size=40))
@settings(max_examples=25, deadline=None)
def test_the_wall_clock_may_jump_as_it_likes(clock: list[str]) -> None:
    job, pen = paper_job("a"), Pen()
    pen.write(started(job))
    write_turn(pen, "a", 0, [1.0, 1.2, 1.0, 1.2, 1.1, 1.3], watts=4)
    jumping = [
        Stamped(replace(stamped.stamp, at=at), stamped.event)
        for stamped, at in zip(pen.events, clock, strict=False)
    ]
    [still], [jumped] = summarise_job(job, pen.events), summarise_job(job, jumping)
    assert replace(jumped, measured_at="") == replace(still, measured_at="")


@given(
    cuts=st.lists(st.integers(0, 60), max_size=4, unique=True),
    seed=st.integers(0, 10),
)
@settings(max_examples=40, deadline=None)
def test_wherever_a_job_is_cut_off_the_same_is_measured(cuts: list[int], seed: int) -> None:
    """A pretended supervisor that loses its power after so many events, and resumes."""
    job = paper_job("a", "b", "c", min_samples=4, max_samples=4, turn_samples=2)
    job = replace(job, seed=seed)
    pen = Pen()
    pen.write(started(job))
    while turn := next_turn(job, Ledger(pen.events)):
        part = Pen()
        write_turn(part, turn.case.id, turn.number, [1.0, 1.1])
        for stamped in part.events:
            pen.write(stamped.event)
            if len(pen.events) in cuts:
                pen.mono = 5.0  # another boot
                pen.write(started(job, resumed=True))
                break
    order = [s.event.case for s in pen.events if isinstance(s.event, TurnEnded)]
    assert order == round_order(job, 0) + round_order(job, 1)
    for found in summarise_job(job, pen.events):
        assert Counter(s.clip for s in found.samples) == {"0.flac": 2, "1.flac": 2}
        assert len({s.turn for s in found.samples}) == 2


def test_rounds_are_drawn_anew_and_the_same_for_the_same_seed() -> None:
    job = paper_job(*"abcdef")
    rounds = [tuple(round_order(job, number)) for number in range(6)]
    assert len(set(rounds)) == 6
    assert all(sorted(cases) == list("abcdef") for cases in rounds)
    assert [tuple(round_order(job, number)) for number in range(6)] == rounds
    assert tuple(round_order(replace(job, seed=1), 0)) != rounds[0]


def test_a_case_ends_when_its_median_is_known_well_enough_or_its_time_is_spent() -> None:
    job, pen = paper_job("steady", "wild", turn_samples=10, budget_seconds=130), Pen()
    pen.write(started(job))
    taken, left, draw = Counter[str](), [], random.Random(0)
    while turn := next_turn(job, Ledger(pen.events)):
        assert (turn.number, turn.hear_all) == (taken[turn.case.id], not taken[turn.case.id])
        taken[turn.case.id] += 1
        left.append(turn.seconds)
        wild = [draw.uniform(1, 3) for _ in range(10)]
        seconds = wild if turn.case.id == "wild" else [1.0, 2.0] * 5
        write_turn(pen, turn.case.id, turn.number, seconds)
    assert taken == {"steady": 3, "wild": 4}  # also what one process knows well is asked of three
    assert max(left) == 130 and 0 < min(left) < 50


def test_the_first_turn_hears_every_clip_and_the_next_goes_on_round() -> None:
    job, pen = paper_job("a", clips=3, turn_samples=2), Pen()
    turn = next_turn(job, Ledger([]))
    assert turn is not None
    assert (turn.hear_all, turn.first_clip) == (True, 0)
    pen.write(started(job))
    write_turn(pen, "a", 0, [1.0, 1.2, 1.0, 1.2])
    turn = next_turn(job, Ledger(pen.events))
    assert turn is not None
    assert (turn.hear_all, turn.first_clip) == (False, 1)


@pytest.mark.parametrize("count", [6, 20, 1500])
def test_the_interval_holds_the_median_in_95_of_100_cases(count: int) -> None:
    """Of a lopsided spread, as timings have; the known median is ln 2."""
    draw, held, tries = random.Random(0), 0, 300
    for _ in range(tries):
        seconds = [draw.expovariate(1) for _ in range(count)]
        interval = median_interval((0, value) for value in seconds)
        assert interval is not None
        middle = statistics.median(seconds)
        held += interval.low * middle <= 0.6931 <= interval.high * middle
    assert 0.92 * tries <= held


def test_clips_of_any_length_make_no_interval_wide() -> None:
    steady = [(clip, (1 + clip) * share) for clip in range(3) for share in (0.99, 1.0, 1.01)]
    interval = median_interval(steady)
    assert interval is not None
    assert interval.half_width <= 0.011
    assert median_interval([(clip, 1.0) for clip in range(20)]) is None  # each heard once


def test_a_process_that_was_slow_from_end_to_end_is_seen_beside_others() -> None:
    """However close its own samples lie together: alone it would be believed."""
    turns = [[(clip, seconds) for clip in range(4)] * 2 for seconds in (1.4, 1.0, 1.0)]
    found = [median_interval(chain.from_iterable(turns[:count])) for count in (1, 3)]
    assert [interval and interval.half_width for interval in found] == pytest.approx([0.0, 0.2])
