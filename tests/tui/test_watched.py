"""What a job's news add up to, and how a recording's time passes; without a screen."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.agent.clock import Stamp
from bench.agent.events import CaseEnded, Event, JobStarted, Reading, Sampled, Stamped, Waiting
from tests.tui.recorded import write_recording
from tui.run_page import page, state
from tui.source.jobs import Begun, Counted, Heard, News, Over, Said
from tui.source.recording import Player, read_take
from tui.watched import Watched


def heard(event: Event, mono: float = 0.0, boot: str = "b") -> Heard:
    return Heard(Stamped(Stamp("2026-01-01T00:00:00.000+00:00", mono, boot), event))


def seen(*news: News) -> Watched:
    job = Watched("pi", "net")
    for one in news:
        job.take(one)
    return job


def test_before_there_is_a_job_it_says_how_much_was_sent() -> None:
    job = seen(Said("opening bundles"), Counted("sending", 3, 4))
    assert "sending" in page(job, 80).plain
    assert "75 %" in page(job, 80).plain
    assert (job.summary, state(job).plain) == ("pi …", "▶ pi · net")


def test_a_failed_case_and_a_pause_are_in_the_log_and_the_rest_goes_on() -> None:
    job = seen(
        Begun("j", ("a", "b"), 8, 200),
        heard(Waiting(60.0, 80.0, 60.0)),
        heard(CaseEnded("a", "Took longer than 5 s.", "timeout")),
        heard(Sampled("b", 0, 0, 0.5, 2.0, {"encode": 0.5}, 3)),
    )
    told = "\n".join(job.log)
    assert "cooling down from 80 to 60 °C" in told
    assert "✗ a has ended: Took longer than 5 s." in told
    assert state(job).plain == "▶ pi · job j · 1 of 2 cases ended · 1 failed"
    assert job.summary == "pi 1/2"


def test_a_device_without_a_thermometer_is_said_to_have_none() -> None:
    job = seen(Begun("j", ("a",)), heard(Reading(clock_mhz=1500.0)))
    told = page(job, 100).plain
    assert "the device does not say" in told
    assert "1500 MHz" in told


def test_nobody_waits_for_what_lies_between_two_boots_or_two_days(tmp_path: Path) -> None:
    moments = [(0.0, "a"), (2.5, "a"), (90_000.0, "a"), (5.0, "b")]
    lines = [heard(Reading(load=1.0), *moment).stamped.to_json() for moment in moments]
    begun = heard(JobStarted("j", "1", True, {}), 9.0, "b").stamped.to_json()
    (tmp_path / "journal.jsonl").write_text("\n".join([*lines, begun]) + "\n")
    take = read_take(tmp_path)
    assert [seconds for seconds, _ in take.events] == [0.0, 2.5, 60.0, 1.0, 1.0]
    assert take.begun == Begun("j", ())


@pytest.mark.parametrize(("steps", "least"), [(0, 0.9), (2, 0.2)])
def test_a_recording_takes_its_own_time_or_a_share_of_it(steps: int, least: float) -> None:
    """Its second event is a second after the first; four times as fast that is a quarter."""
    _, folder = write_recording(events=2)
    told: list[News] = []
    begun = time.monotonic()
    player = Player(folder, told.append)
    for _ in range(steps):
        player.faster()
    while not any(isinstance(one, Over) for one in told):
        assert time.monotonic() < begun + 30
        time.sleep(0.01)
    assert time.monotonic() - begun >= least
    assert [type(one) for one in told] == [Begun, Heard, Heard, Over]


def test_whoever_leaves_a_recording_ends_it() -> None:
    _, folder = write_recording()
    told: list[News] = []
    player = Player(folder, told.append)
    player.pause()
    player.leave(patience=5)
    assert told[-1] == Over("left", "It is played no farther.")
