"""A job's folder as it is imported: what was asked for, and each line of what happened.

A line that is damaged, or that this job cannot have brought forth, is left out with a sentence; it
costs nobody the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.agent.events import (
    JobStarted,
    Phase,
    Reading,
    Sampled,
    Stamped,
    Transcribed,
    TurnEnded,
    TurnStarted,
)
from bench.agent.job import JOB_FILE, Job, read_job
from bench.agent.journal import JOURNAL_FILE, LONGEST_LINE
from speech.errors import BadInput
from speech.lines import RawLine, first_few, raw_lines
from speech.records import shortened


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
    problems: Sequence[str] = ()  # a sentence on each line that was left out, or on the first few


class OtherJob(ValueError):  # noqa: N818 - says whose it is
    """The journal is not this job's."""


class LineReader:
    """Reads a job's journal, line after line, and refuses what cannot be of it."""

    def __init__(self, job: Job):
        self._job = job
        self._cases = {case.id for case in job.cases}
        self._numbers: dict[str, int] = {}  # of the lines so far, by their text
        self._is_started = False
        self._begun: dict[tuple[str, int], int] = {}  # turns, and the lines that began them
        self._phases: set[str] = set()  # of the turn that runs
        self._last: Stamped | None = None  # of its lines

    def read(self, raw: RawLine) -> Line:
        """Raises ValueError with what is wrong with it."""
        if raw.is_too_long:
            raise ValueError(f"has more than {LONGEST_LINE} bytes")
        text = raw.data.decode()
        if text in self._numbers:
            raise ValueError(f"repeats line {self._numbers[text]}")
        stamped = Stamped.from_json(text)
        self._check(stamped, raw.number)
        self._numbers[text] = raw.number
        return Line(raw.number, text, stamped)

    def _check(self, stamped: Stamped, number: int) -> None:
        event = stamped.event
        case = getattr(event, "case", None)
        if case is not None and case not in self._cases:
            raise ValueError(f"case must be one of the job's, got {shortened(case)}")
        match event:
            case JobStarted():
                self._start(event)
            case TurnStarted():
                self._begin(stamped, event, number)
            case Sampled() | Transcribed() if event.clip >= len(self._job.clips):
                raise ValueError(f"clip must be below {len(self._job.clips)}, got {event.clip}")
            case Phase() | Sampled() | Transcribed() | TurnEnded() | Reading():
                self._go_on(stamped)

    def _start(self, event: JobStarted) -> None:
        if event.job != self._job.id:
            found = f"is of the job {shortened(event.job)}, and {JOB_FILE} of {self._job.id}"
            raise ValueError(found) if self._is_started else OtherJob(found)
        self._is_started = True
        self._last = None

    def _begin(self, stamped: Stamped, event: TurnStarted, number: int) -> None:
        turn = (event.case, event.turn)
        if turn in self._begun:
            raise ValueError(f"turn {event.turn} began in line {self._begun[turn]} already")
        self._begun[turn] = number
        self._phases = set()
        self._last = stamped

    def _go_on(self, stamped: Stamped) -> None:
        """Within a turn no line is of an earlier moment than the one before it."""
        last, event = self._last, stamped.event
        if last is None:
            return
        if stamped.stamp.boot == last.stamp.boot and stamped.stamp.mono < last.stamp.mono:
            raise ValueError(f"mono must not go back, got {stamped.stamp.mono}")
        if isinstance(event, Phase):
            if event.name in self._phases:
                raise ValueError(f"the turn has its phase {event.name!r} already")
            self._phases.add(event.name)
        self._last = None if isinstance(event, TurnEnded) else stamped


def is_job_folder(folder: Path) -> bool:
    return (folder / JOB_FILE).is_file() and (folder / JOURNAL_FILE).is_file()


def read_job_folder(folder: Path) -> JobFolder:
    """Raises BadInput for what is no job and no journal of it; a torn last line is left out."""
    job = read_job(folder)
    path = folder / JOURNAL_FILE
    try:
        with path.open("rb") as file:
            whole = (line for line in raw_lines(file, LONGEST_LINE) if line.is_ended)
            lines, problems = read_lines(job, whole, str(path))
    except FileNotFoundError as problem:
        raise BadInput(f"{folder} has no {JOURNAL_FILE}: nothing was measured yet.") from problem
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    return JobFolder(job, lines, problems)


def read_lines(job: Job, lines: Iterable[RawLine], where: str) -> tuple[list[Line], list[str]]:
    """Those that can be used, and sentences on the others; BadInput for another job's."""
    reader, good, problems = LineReader(job), [], []
    for line in lines:
        try:
            good.append(reader.read(line))
        except OtherJob as problem:
            raise BadInput(
                f"{where}, line {line.number}: {problem}: put the right one there."
            ) from (problem)
        except ValueError as problem:
            problems.append(
                f"{where}, line {line.number}: {problem}; the line is left out, copy the journal "
                "anew."
            )
    return good, first_few(problems, where)
