"""Jobs in folders, and the agent run on them as a device does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.agent.clock import Stamp
from bench.agent.events import Event, Stamped
from bench.agent.job import Case, ClipFile, Job, Plan, write_job
from bench.agent.journal import read_journal
from bench.agent.measurement import Measurement
from bench.agent.summary import summarise_job
from bench.cases import cases_here
from bench.clips import clip_files
from runtime.settings import DEFAULT
from speech.corpora.corpus import Clip

AGENT = (sys.executable, "-m", "bench.agent")


def write_small_job(
    folder: Path, bundles: Sequence[Path], clips: Sequence[Clip], *, wait: bool = False, **plan: Any
) -> Job:
    """Two samples a turn and four in all, unless `plan` says otherwise."""
    small = {"warm_up": 0, "min_samples": 4, "max_samples": 4, "turn_samples": 2, **plan}
    files = tuple(clip_files(clips, folder))
    job = Job.make(cases_here(bundles, [DEFAULT]), files, plan=Plan(**small), seed=1, wait=wait)
    write_job(folder, job)
    return job


def start(folder: Path, *, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*AGENT, "run", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=before,
        start_new_session=True,
    )


def run(folder: Path, *, before: Callable[[], None] | None = None) -> tuple[int, list[Any]]:
    """The exit code and the printed objects."""
    with start(folder, before=before) as process:
        out, _ = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def ask(*words: str) -> tuple[int, Any]:
    """The exit code and the one object that the agent prints."""
    done = subprocess.run([*AGENT, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def measured(folder: Path, job: Job) -> list[Measurement]:
    return summarise_job(job, read_journal(folder / "journal.jsonl"))


def is_alive(pid: int) -> bool:
    """Whether a process is there and not only waits to be counted."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


def paper_job(*cases: str, clips: int = 2, **plan: Any) -> Job:
    """A job about bundles that do not exist, for what only reads and computes."""
    files = [ClipFile(Path(f"/clips/{n}.flac"), f"text {n}") for n in range(clips)]
    return Job.make([Case(c, Path("/b") / c, DEFAULT) for c in cases], files, plan=Plan(**plan))


class Pen:
    """Writes events down, a second apart on the monotonic clock unless told otherwise."""

    def __init__(self) -> None:
        self.events: list[Stamped] = []
        self.mono = 100.0

    def write(self, *events: Event, step: float = 1.0) -> None:
        for event in events:
            self.mono += step
            stamp = Stamp("2026-01-01T00:00:00.000+00:00", self.mono, "boot")
            self.events.append(Stamped(stamp, event))
