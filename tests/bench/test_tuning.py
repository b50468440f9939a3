"""Which settings are tried on a device, and which of them win."""

from __future__ import annotations

from dataclasses import replace

from bench.agent.events import JobEnded, JobStarted
from bench.agent.job import Job
from bench.agent.latency import summarise
from bench.agent.measurement import Measurement
from bench.folded import measurements_of
from bench.tuning import best, marked, settings_to_try
from tests.bench.jobs import Pen, paper_job
from tests.bench.test_fold import write_turn

PLAIN = Measurement(
    "/b", "b", "2026-01-01T00:00:00+00:00", 1, case="b/t1", latency=summarise([0.2, 0.2])
)


def heard(case: str, seconds: float, wer: float) -> Measurement:
    score = {"wer": wer, "wer_low": wer - 0.02, "wer_high": wer + 0.02}
    return replace(PLAIN, case=case, latency=summarise([seconds] * 2), score=score)


def test_only_several_threads_can_spin_and_windows_hold_every_clip() -> None:
    tried = settings_to_try(2.3)
    assert len(set(tried)) == len(tried)
    assert {one.threads for one in tried} == {1, 2, 4}
    assert {one.window for one in tried} == {None, 4.0}
    assert not any(one.spinning for one in tried if one.threads == 1)
    assert {one.window for one in settings_to_try(None)} == {None}


def test_the_fastest_that_hears_as_well_as_any_wins() -> None:
    cases = [heard("slow", 0.3, 0.10), heard("quick", 0.2, 0.11), heard("deaf", 0.1, 0.13)]
    choice = best([*cases, replace(cases[2], error="It broke.")])
    assert choice is not None
    assert (choice.case, choice.seconds, choice.tried) == ("quick", 0.2, 3)
    assert [found.environment for found in marked(cases)] == [{}, {"best_of": 3}, {}]


def test_settings_of_overlapping_latencies_tie_and_the_fewest_threads_win() -> None:
    def timed(case: str, threads: int, low: float, middle: float, high: float) -> Measurement:
        found = replace(heard(case, middle, 0.1), threads=threads)
        assert found.latency
        return replace(found, latency=replace(found.latency, median_low=low, median_high=high))

    one, two = timed("t1", 1, 0.19, 0.21, 0.23), timed("t2", 2, 0.18, 0.20, 0.22)
    four = timed("t4", 4, 0.30, 0.31, 0.32)
    for order in ([one, two, four], [four, two, one]):
        choice = best(order)
        assert choice is not None
        assert (choice.case, choice.tied, choice.tried) == ("t1", 2, 3)
    faster = best([one, timed("t2", 2, 0.10, 0.11, 0.12)])
    assert faster is not None
    assert (faster.case, faster.tied) == ("t2", 1)


def test_clips_without_texts_leave_speed_alone_to_decide() -> None:
    quick = replace(PLAIN, case="quick", latency=summarise([0.1]))
    choice = best([PLAIN, quick])
    assert choice is not None
    assert choice.case == "quick"


def test_where_all_fails_there_is_no_best() -> None:
    assert best([replace(PLAIN, error="It broke.")]) is None


def test_only_a_job_that_tunes_has_a_best_and_only_at_its_end() -> None:
    paper = paper_job("slow", "quick")
    for tune in (False, True):
        job, pen = Job.make(paper.cases, paper.clips, tune=tune), Pen()
        pen.write(JobStarted(job.id, "1", False, {}))
        write_turn(pen, "slow", 0, [2.0, 2.1])
        write_turn(pen, "quick", 0, [1.0, 1.1])
        assert not any("best_of" in m.environment for m in measurements_of(job, pen.events))
        pen.write(JobEnded(2, 0))
        slow, quick = (m.environment.get("best_of") for m in measurements_of(job, pen.events, "pi"))
        assert (slow, quick) == (None, 2 if tune else None)
