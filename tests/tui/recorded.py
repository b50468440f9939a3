"""Recordings of jobs that nobody had to measure for, and a runner that measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.agent.job import Job
from bench.remote.journal_copy import data_folder
from speech.errors import BadInput
from tests.bench.store.journals import small_job, write_folder
from tui.source.jobs import Begun, Going, Heard, Order, Over, Playing, Recording, Said, Tell
from tui.source.recording import Player, recordings_in


def write_recording(
    device: str = "pi", *, events: int | None = None, torn: str = ""
) -> tuple[Job, Path]:
    """Among those that this host keeps; `events` is how many of them came through."""
    job, told = small_job("net-a/t1", "net-b/t1")
    plain = replace(job, created="2026-03-01T10:00:00.000+00:00", host="desk")
    job = replace(plain, id=plain.digest())
    first = replace(told[0], event=replace(told[0].event, job=job.id))
    folder = data_folder() / "jobs" / device / job.id
    return job, write_folder(folder, job, [first, *told[1:]][:events], torn=torn)


class _Gone:
    def leave(self, patience: float = 0.0) -> None: ...

    def stop(self) -> None: ...


class PaperRunner:
    """Every job is the same recorded one, over at once; `orders` are those that were given."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def devices(self) -> Sequence[str]:
        return ["this", "pi"]

    def recordings(self) -> Sequence[Recording]:
        return recordings_in(data_folder())

    def start(self, order: Order, tell: Tell) -> Going:
        self.orders.append(order)
        return self._told(tell)

    def attach(self, device: str, job: str | None, tell: Tell) -> Going:
        if job and not job.isalnum():
            raise BadInput(f"{job!r} is no job.")
        return self._told(tell)

    def play(self, folder: Path, tell: Tell) -> Playing:
        return Player(folder, tell)

    def _told(self, tell: Tell) -> Going:
        job, events = small_job("a", "b")
        tell(Said("opening bundles"))
        tell(Begun(job.id, tuple(case.id for case in job.cases), 8, 200))
        for stamped in events:
            tell(Heard(stamped))
        tell(Over("done", "2 measured."))
        return _Gone()
