"""Job folders with journals that nobody had to measure for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.agent.events import CaseEnded, Event, JobEnded, JobStarted, Stamped
from bench.agent.job import Job, write_job
from tests.bench.jobs import Pen, paper_job
from tests.bench.test_fold import write_turn


def small_job(*cases: str) -> tuple[Job, list[Stamped]]:
    """A job of two clips and its whole journal: two turns a case."""
    job, pen = paper_job(*(cases or ("a", "b"))), Pen()
    pen.write(JobStarted(job.id, "1", False, {"cores": 4, "cpu": "Cortex-A76"}))
    for turn in (0, 1):
        for number, case in enumerate(job.cases):
            seconds = 1.0 + number
            write_turn(pen, case.id, turn, [seconds, 1.2 * seconds] * 2, watts=5)
    ends: Sequence[Event] = [CaseEnded(case.id) for case in job.cases]
    pen.write(*ends, JobEnded(len(job.cases), 0))
    return job, pen.events


def write_folder(folder: Path, job: Job, events: Sequence[Stamped], *, torn: str = "") -> Path:
    """`torn` is what a power cut leaves at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "job.json").exists():
        write_job(folder, job)
    text = "".join(event.to_json() + "\n" for event in events) + torn
    (folder / "journal.jsonl").write_text(text)
    return folder
