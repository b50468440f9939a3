"""A job's folder as it is imported: what was asked for, and each whole line of what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bench.agent.events import JobStarted, Stamped
from bench.agent.job import JOB_FILE, Job, read_job
from bench.agent.journal import JOURNAL_FILE
from speech.errors import BadInput
from speech.parsed import json_from


@dataclass(frozen=True)
class Line:
    """Its number in the journal, from 1, the text as it was written, and what that says."""

    number: int
    text: str
    stamped: Stamped

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class JobFolder:
    """What the host asked of a device, and the copy of its journal, perhaps not yet all of it."""

    job: Job
    lines: Sequence[Line]


def is_job_folder(folder: Path) -> bool:
    return (folder / JOB_FILE).is_file() and (folder / JOURNAL_FILE).is_file()


def read_job_folder(folder: Path) -> JobFolder:
    """Raises BadInput that names file and line; a torn last line is left out."""
    job = read_job(folder)
    path = folder / JOURNAL_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError as problem:
        raise BadInput(f"{folder} has no {JOURNAL_FILE}: nothing was measured yet.") from problem
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    whole = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
    lines = [_parsed(line, path, number) for number, line in enumerate(whole, start=1)]
    for line in lines:
        event = line.stamped.event
        if isinstance(event, JobStarted) and event.job != job.id:
            raise BadInput(
                f"{path}, line {line.number}: is of the job {event.job}, and {JOB_FILE} beside it "
                f"of {job.id}: put the right one there."
            )
    return JobFolder(job, lines)


def _parsed(data: bytes, path: Path, number: int) -> Line:
    try:
        text = data.decode()
        _refuse_non_numbers(text)
        return Line(number, text, Stamped.from_json(text))
    except ValueError as problem:
        raise BadInput(f"{path}, line {number}: {problem}; copy the journal anew.") from problem


def _refuse_non_numbers(text: str) -> None:
    """Python reads NaN and Infinity, which are no JSON and which no table can sum."""
    if "NaN" in text or "Infinity" in text:
        json_from(text, parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
