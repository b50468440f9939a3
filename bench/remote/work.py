"""A comparison on one device, from the first look at it to the measurements."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from bench.agent.events import Stamped
from bench.agent.job import JOB_FILE, Job, Plan, job_from, write_job
from bench.agent.measurement import Measurement
from bench.cases import cases_of
from bench.folded import measurements_of
from bench.remote.answers import Cleaned, Described, KnownJob, KnownJobs, Started, Stopped
from bench.remote.cargo import bundle_folder, clip_folder, placed_clips
from bench.remote.connection import Connection, Link
from bench.remote.courier import Folder, Patience, Report, ask, kept_up, place
from bench.remote.deploy import ROOT, Agent, code_folder, install, wheels_folder
from bench.remote.devices import Device
from bench.remote.doctor import refusals
from bench.remote.facts import Facts, read_facts
from bench.remote.follow import Follower
from bench.remote.here import Here
from bench.remote.journal_copy import JournalCopy, data_folder
from bench.remote.progress import Progress
from bench.store.journal_lines import read_job_folder
from runtime.bundle import Bundle
from runtime.settings import Settings
from speech.corpora import Corpus
from speech.errors import BadInput

Answer = TypeVar("Answer")
_TO_CLEAN = 600.0  # seconds; it gives signs of life


@dataclass(frozen=True)
class Request:
    """What to measure; every bundle under every group of settings."""

    bundles: Sequence[Bundle]
    corpus: Corpus
    settings: Sequence[Settings] = (Settings(),)
    plan: Plan = field(default_factory=Plan)
    seed: int = 0
    wait: bool = False  # for a device that another job has
    tune: bool = False  # to choose the best of the settings
    in_place: bool = True  # whether this machine can measure the bundles where they lie


@dataclass
class Worker:
    """One device and those who look on: `say` gets sentences, `report` counts, `hear` events."""

    device: Device
    report: Report = lambda label, done, total: None
    say: Callable[[str], None] = lambda line: None
    patience: Patience = field(default_factory=Patience)
    stop: threading.Event = field(default_factory=threading.Event)
    offline: bool = False
    hear: Callable[[Stamped], None] = lambda stamped: None
    link: Link = field(init=False)
    asked: Job | None = None  # what the device was told to start, whether it heard that or not
    _agent: Agent | None = None
    _started: str | None = None  # the job that was started last and has not been watched yet

    def __post_init__(self) -> None:
        self.link = Here() if self.device.is_this else Connection(self.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def interrupt(self) -> None:
        """From another thread: look on no longer."""
        self.stop.set()
        self.link.interrupt()

    def begin(self, request: Request) -> Job:
        """Everything onto the device, and the job started there."""
        with clip_folder(request.corpus.clips) as clips:
            stays = self.device.is_this and request.in_place
            sent = {} if stays else {b.folder: bundle_folder(b) for b in request.bundles}
            places = self._deploy(clips, *sent.values())
            files = placed_clips(request.corpus.clips, clips, places)
        there = {folder: Path(places[cargo.name]) for folder, cargo in sent.items()}
        placed = [
            (bundle, there.get(bundle.folder, bundle.folder.resolve()))
            for bundle in request.bundles
        ]
        job = Job.make(
            cases_of(placed, request.settings),
            files,
            plan=request.plan,
            seed=request.seed,
            normalizer=request.corpus.normalizer,
            wait=request.wait,
            tune=request.tune,
            corpus=request.corpus.name,
            corpus_set=request.corpus.corpus_set,
        )
        self.asked = job
        self._start(job, job.to_json())
        return job

    def watch(self, job: Job) -> list[Measurement]:
        """Follow a job to its end. Raises `Detached` once `interrupt` was called."""
        progress = Progress(job, self.report, self.say, self.hear)
        folder = self.folder(job.id)
        with JournalCopy(folder) as copy:
            if not (folder / JOB_FILE).exists():
                write_job(folder, job)  # without it the journal says too little later on
            if not copy.ended and self._started != job.id and not self._needs_no_start(job):
                self._start(job)
            self._started = None
            follower = Follower(
                self.link,
                partial(self._start, job),
                job.id,
                copy,
                progress.hear,
                self.say,
                self.patience,
                self.stop,
                _most_bytes(job),
            )
            follower.to_the_end()
        return self.results(job)

    def results(self, job: Job) -> list[Measurement]:
        """Of what has been copied so far; each names the device in its environment."""
        found = read_job_folder(self.folder(job.id))
        for problem in found.problems:
            self.say(problem)
        return measurements_of(job, [line.stamped for line in found.lines], self.device.name)

    def find(self, wanted: str | None) -> Job:
        """A job that is on the device, by id; else the newest that runs, or has not ended, or is
        there at all. It may be another host's.
        """
        if wanted is None:
            there = ask(self.link, KnownJobs, "jobs").jobs
            if not there:
                raise BadInput(f"{self.device.name} has no jobs: start one with `secateur bench`.")
            wanted = max(there, key=_liveliest).id
        if not wanted.isalnum():
            raise BadInput(f"{wanted!r} is no job: leave it out for the newest one.")
        told = ask(self.link, Described, "describe", wanted).job
        job = job_from(told, f"job {wanted} of {self.device.name}")
        if job.id != wanted:
            raise BadInput(
                f"{self.device.name} has job {job.id} in the place of {wanted}: name another one."
            )
        return job

    def end(self, job: Job) -> bool:
        """Stop a job on the device, where it stays as far as it is; False if it does not run."""
        return ask(self.link, Stopped, "stop", job.id).stopped

    def clean(self, *, everything: bool) -> Cleaned:
        """What was sent goes, or all but the journals; says how many bytes that frees."""
        what = "all" if everything else "sent"
        return ask(self.link, Cleaned, "clean", what, seconds=_TO_CLEAN)

    def folder(self, job: str) -> Path:
        return data_folder() / "jobs" / self.device.name / job

    def _deploy(self, *cargo: Folder) -> dict[str, str]:
        """The agent and the cargo; gives the cargo's places. BadInput for an unfit device."""
        if self.device.is_this:
            self._agent = Agent(sys.executable, str(ROOT))
            return place(self.link, cargo, self.report)
        facts = read_facts(self.link)
        _refuse_unfit(self.device, facts)
        code = code_folder()
        wheels = (
            self._kept_up(partial(wheels_folder, self.link, facts, self.report))
            if self.offline
            else None
        )
        folders = [folder for folder in (code, wheels, *cargo) if folder]
        places = self._kept_up(lambda: place(self.link, folders, self.report))
        python = self._kept_up(lambda: install(self.link, facts, code, wheels, self.report))
        self._agent = Agent(python, places[code.name])
        return places

    def _needs_no_start(self, job: Job) -> bool:
        """It runs, or has ended: then only its journal is wanted, however full the disk is now."""
        there = self._kept_up(lambda: ask(self.link, KnownJobs, "jobs")).jobs
        return any(told.id == job.id and (told.running or told.ended) for told in there)

    def _start(self, job: Job, text: str = "") -> None:
        """Starts the supervisor, unless it runs; `text` is the job, for a device without it."""
        if self._agent is None:
            self._deploy()
        assert self._agent
        words = ("start", job.id, self._agent.python, self._agent.code)
        self._kept_up(lambda: ask(self.link, Started, *words, data=text.encode()))
        self._started = job.id

    def _kept_up(self, work: Callable[[], Answer]) -> Answer:
        return kept_up(work, self.link, self.patience, self.stop, self.say)


def _liveliest(job: KnownJob) -> tuple[bool, bool, str]:
    return job.running, not job.ended, job.created


def _most_bytes(job: Job) -> int:
    """Of its journal: many times what its samples, transcripts and readings can come to."""
    plan = job.plan
    seconds = plan.budget_seconds + plan.timeout_seconds + (plan.sustained_seconds or 0)
    lines = plan.max_samples + len(job.clips) + 2 * seconds
    return (16 << 20) + len(job.cases) * ((1 << 20) + int(min(lines, 1e6)) * 1024)


def _refuse_unfit(device: Device, facts: Facts) -> None:
    if failed := refusals(facts):
        first = failed[0]
        raise BadInput(
            f"{device.name} cannot be measured on: {first.name}: {first.said}; fix: {first.fix}. "
            f"(`secateur device doctor {device.name}` says all.)"
        )
