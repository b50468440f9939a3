"""Measures bundles on this machine: the same job, supervisor and journal as on a device.

Each measuring process is a fresh one, which is what makes peak memory and start-up honest, and
what lets a case that crashes, hangs or is killed for memory become a line in the results.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from bench.agent.children import AGENT, agent_environment
from bench.agent.events import CaseEnded, Stamped, TurnStarted
from bench.agent.job import JOB_FILE, Job, Plan, read_job, write_job
from bench.agent.journal import JOURNAL_FILE, read_journal
from bench.agent.measurement import Measurement
from bench.cases import cases_here
from bench.clips import clip_files
from bench.counting import Counting
from bench.folded import measurements_of
from bench.remote.devices import THIS
from runtime.settings import Settings
from runtime.whole_folder import disk_is_full, whole_file
from speech.corpora.corpus import Clip
from speech.errors import BadInput

#: Hears each event once it is on the disk.
Heard = Callable[[Stamped], None]
_GRACE = 10.0  # seconds that the supervisor may take to end its processes


@dataclass(frozen=True)
class Step:
    """What `measure_here` reports: a case begins (with its process id) or ends, perhaps badly."""

    stage: Literal["started", "measured", "failed"]
    bundle: Path
    index: int  # from 0
    total: int
    pid: int | None = None  # of the first measuring process, while it runs
    error: str | None = None


Progress = Callable[[Step], None]

#: Is told a label, the transcriptions done, and those in all.
Report = Callable[[str, int, int], None]


def measure_here(
    bundles: Sequence[Path],
    clips: Sequence[Clip],
    *,
    threads: int = 1,
    warm_up: int = 3,
    samples: int = 20,
    timeout: float = 900.0,
    normalizer: str = "basic",
    corpus: str = "",
    corpus_set: str = "",
    progress: Progress | None = None,
    report: Report | None = None,
    folder: Path | None = None,
    kept: Path | None = None,
) -> list[Measurement]:
    """One measurement per bundle, in order; a failed one has its `error` set.

    `samples` is the count of timed transcriptions of each clip, `timeout` the seconds one process
    may take. Bundles take turns, so that none is favoured by the hour. In `folder` the job waits to
    be gone on with, by the same call, if this one is interrupted; at its end nothing is left there.
    Job and journal are then in `kept`, under the job's id, as those that devices send.
    """
    if not bundles:
        return []
    plan = Plan.exactly(samples * len(clips), warm_up=warm_up, timeout_seconds=timeout)
    with _place(folder) as place:
        files = tuple(clip_files(clips, place / "clips"))
        cases = cases_here(bundles, [Settings(threads=threads)])
        job = Job.make(
            cases,
            files,
            plan=plan,
            normalizer=normalizer,
            wait=True,
            corpus=corpus,
            corpus_set=corpus_set,
        )
        job = _interrupted(place / "job", job) or _new(place / "job", job)
        heard = _steps(job, progress or _ignore, report)
        found = run_here(place / "job", job, heard)
        if kept:
            _keep(place / "job", kept / job.id)
        return found


def _keep(folder: Path, kept: Path) -> None:
    for name in (JOB_FILE, JOURNAL_FILE):
        with whole_file(kept / name, replace=True) as file:
            file.write((folder / name).read_bytes())


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="secateur-job-") as temporary:
            (Path(temporary) / "clips").mkdir()
            yield Path(temporary)
        return
    try:
        (folder / "clips").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if disk_is_full(error):
            raise
        raise BadInput(
            f"{folder} cannot hold a job ({error.strerror}): move away what is there."
        ) from error
    yield folder
    shutil.rmtree(folder)


def _interrupted(folder: Path, wanted: Job) -> Job | None:
    """The job that is there already, if it is for the same."""
    try:
        found = read_job(folder)
    except BadInput:
        return None
    return (
        found if replace(found, id="", created="") == replace(wanted, id="", created="") else None
    )


def _new(folder: Path, job: Job) -> Job:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    write_job(folder, job)
    return job


def run_here(folder: Path, job: Job, heard: Heard | None = None) -> list[Measurement]:
    """Run, or go on with, the job in `folder` by a supervisor of its own.

    Raises BadInput with what the supervisor says if it cannot.
    """
    process = subprocess.Popen(
        [*AGENT, "run", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=agent_environment(),
    )
    last = ""
    try:
        for line in _lines(process.stdout):
            last = line
            if heard and process.poll() is None and not line.startswith('{"error"'):
                heard(Stamped.from_json(line))
        process.wait()
    finally:
        _end(process)
    if process.returncode:
        raise BadInput(_complaint(last, process.returncode))
    return measurements_of(job, read_journal(folder / JOURNAL_FILE), THIS)


def _lines(output: IO[str] | None) -> IO[str]:
    assert output is not None  # Popen was asked for it
    return output


def _end(process: subprocess.Popen[str]) -> None:
    """Leaves no process behind, whether somebody pressed Ctrl-C or a listener failed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _lines(process.stdout).close()


def _complaint(last: str, code: int) -> str:
    try:
        return str(json.loads(last)["error"])
    except (ValueError, KeyError, TypeError):
        return f"The measuring supervisor ended with code {code}."


def _ignore(step: Step) -> None:
    """For who does not want to know."""


def _steps(job: Job, progress: Progress, report: Report | None) -> Heard:
    """Progress by bundle and by transcription, as the journal tells of it."""
    counting = Counting(job)
    indices = {case.id: index for index, case in enumerate(job.cases)}

    def heard(stamped: Stamped) -> None:
        event = stamped.event
        if report and counting.hear(stamped):
            report("measuring", counting.done, counting.total)
        if not isinstance(event, TurnStarted | CaseEnded):
            return
        index = indices[event.case]
        bundle, total = job.cases[index].bundle, len(job.cases)
        if isinstance(event, CaseEnded):
            stage: Literal["measured", "failed"] = "failed" if event.error else "measured"
            progress(Step(stage, bundle, index, total, error=event.error))
        elif event.turn == 0:
            progress(Step("started", bundle, index, total, pid=event.pid))

    return heard
