"""How far a job is, for whoever looks at it from outside; nothing is changed by looking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.agent.job import read_job
from bench.agent.journal import JOURNAL_FILE, read_journal
from bench.agent.ledger import Ledger
from bench.agent.locks import JOB_LOCK, device_lock, holder_of, is_held

#: It waits for the device, it measures, nobody runs it, or there is nothing left to do.
State = Literal["waiting", "running", "stopped", "done"]


@dataclass(frozen=True)
class Status:
    job: str
    state: State
    cases: int
    finished: tuple[str, ...]  # the cases that are over, in the job's order
    pid: int | None  # of the supervisor, while there is one
    lines: int  # of the journal


def status_of(folder: Path) -> Status:
    """Raises BadInput for a folder without a job."""
    job = read_job(folder)
    events = list(read_journal(folder / JOURNAL_FILE))
    ledger = Ledger(events)
    here = holder_of(folder / JOB_LOCK) if is_held(folder / JOB_LOCK) else None
    return Status(
        job=job.id,
        state=_state(ledger, None if here is None else here.pid),
        cases=len(job.cases),
        finished=tuple(case.id for case in job.cases if case.id in ledger.case_ends),
        pid=here.pid if here else None,
        lines=len(events),
    )


def _state(ledger: Ledger, pid: int | None) -> State:
    if ledger.job_ended:
        return "done"
    if pid is None:
        return "stopped"
    owner = holder_of(device_lock()) if is_held(device_lock()) else None
    return "running" if owner and owner.pid == pid else "waiting"
