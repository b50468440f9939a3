"""What somebody who waits for a job hears of its journal."""

from __future__ import annotations

from bench.agent.clock import Stamp
from bench.agent.events import CaseEnded, Event, Reading, Stamped
from bench.counting import Counting
from bench.remote.progress import Progress
from tests.bench.jobs import Pen, paper_job
from tests.bench.test_fold import write_turn


def test_every_event_is_passed_on_after_it_was_counted_and_nonsense_is_not() -> None:
    heard: list[object] = []
    progress = Progress(
        paper_job("a", "b", max_samples=8),
        lambda label, done, total: heard.append((done, total)),
        heard.append,
        heard.append,
    )
    stamp = Stamp("2026-01-01T00:00:00.000+00:00", 1.0, "boot")
    events: list[Event] = [Reading(temperature=40.0), CaseEnded("a", "It broke.", "crash")]
    stamped = [Stamped(stamp, event) for event in events]
    for line in (stamped[0].to_json(), "nonsense", stamped[1].to_json()):
        progress.hear(line.encode())
    assert heard == [stamped[0], "a failed: It broke.", (0, 8), stamped[1]]


def test_transcriptions_are_counted_and_no_more_expected_than_there_is_time_for() -> None:
    """A case is over late, as all take turns: counting cases would stand at 0 nearly to the end."""
    job = paper_job("a", "b", min_samples=2, max_samples=40, budget_seconds=50.0)
    counting, pen = Counting(job), Pen()
    write_turn(pen, "a", 0, [1.0, 1.0, 1.0])
    write_turn(pen, "b", 0, [1.0, 1.0])
    pen.write(CaseEnded("a"))
    told = [(counting.done, counting.total) for one in pen.events if counting.hear(one)]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0] == (0, 80)
    done, total = told[-1]
    assert done == 5
    assert done < total < 40  # of "a" what it has, of "b" what fits into its seconds
    assert all(done < total for done, total in told)
