"""What somebody who waits for a job hears of its journal."""

from __future__ import annotations

from bench.agent.clock import Stamp
from bench.agent.events import CaseEnded, Event, Reading, Stamped
from bench.remote.progress import Progress
from tests.bench.jobs import paper_job


def test_every_event_is_passed_on_after_it_was_counted_and_nonsense_is_not() -> None:
    heard: list[object] = []
    progress = Progress(
        paper_job("a", "b"),
        lambda label, done, total: heard.append((done, total)),
        heard.append,
        heard.append,
    )
    stamp = Stamp("2026-01-01T00:00:00.000+00:00", 1.0, "boot")
    events: list[Event] = [Reading(temperature=40.0), CaseEnded("a", "It broke.", "crash")]
    stamped = [Stamped(stamp, event) for event in events]
    for line in (stamped[0].to_json(), "nonsense", stamped[1].to_json()):
        progress.hear(line.encode())
    assert heard == [(0, 2), stamped[0], "a failed: It broke.", (1, 2), stamped[1]]
