"""Runs jobs on devices for the app, each in a thread that tells what happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.agent.events import CaseEnded, Stamped
from bench.agent.job import Job, Plan
from bench.remote.courier import Detached
from bench.remote.devices import find_device, read_devices
from bench.remote.follow import WasStopped
from bench.remote.journal_copy import data_folder
from bench.remote.work import Request, Worker
from runtime.archive import opened
from runtime.bundle import MANIFEST, Bundle
from runtime.settings import Settings
from speech.corpora import open_corpus
from speech.errors import BadInput
from tui.source.jobs import (
    Begun,
    Counted,
    Going,
    Heard,
    Landed,
    Order,
    Over,
    Playing,
    Recording,
    Said,
    Tell,
)
from tui.source.recording import Player, recordings_in
from tui.source.records import Record, Source

#: What is heard while measuring, as `secateur bench` has it by default.
CORPUS, CLIPS = "demo", 8
#: Seconds between two imports of a journal that grows.
_LAND_EVERY = 1.0
_TICK = 0.1

#: The bundles of a job that were opened for it, with the folders in which they lie here.
Opened = list[tuple[Path, Bundle]]


class DeviceRunner:
    """Jobs by the user's own SSH, or on this machine. What they measure lands in `source`."""

    def __init__(self, source: Source):
        self._source = source

    def devices(self) -> Sequence[str]:
        return list(read_devices())

    def recordings(self) -> Sequence[Recording]:
        return recordings_in(data_folder())

    def start(self, order: Order, tell: Tell) -> Going:
        device = find_device(order.device)

        def begin(worker: Worker, stack: ExitStack) -> tuple[Job, Opened]:
            tell(Said("opening bundles and clips"))
            bundles = [(path, stack.enter_context(opened(path, check_hashes=True)))
                       for path in self._folders(order, tell)]  # fmt: skip
            request = Request(
                [bundle for _, bundle in bundles],
                open_corpus(CORPUS, limit=CLIPS),
                settings=[Settings(threads=threads) for threads in order.threads],
                plan=plan_of(order),
                in_place=all(path.is_dir() for path, _ in bundles),
            )
            return worker.begin(request), bundles

        return _Following(Worker(device), begin, self._source, tell)

    def attach(self, device: str, job: str | None, tell: Tell) -> Going:
        found = find_device(device)
        return _Following(
            Worker(found), lambda worker, stack: (worker.find(job), []), self._source, tell
        )

    def play(self, folder: Path, tell: Tell) -> Playing:
        return Player(folder, tell)

    def _folders(self, order: Order, tell: Tell) -> list[Path]:
        found = [] if order.folder is None else [order.folder]
        found += [self._folder(record, tell) for record in order.records]
        return list(dict.fromkeys(found))

    def _folder(self, record: Record, tell: Tell) -> Path:
        """What was made anew since it was measured is another bundle, but what is wanted now."""
        name = record.row.name
        if record.key.isdigit():
            detail = self._source.detail(record)
            if detail.bundle:
                return detail.bundle
            folder = Path(detail.measurement.bundle)
            if (folder / MANIFEST).is_file():
                tell(Said(f"{name} was made anew since that result: this measures the new one"))
                return folder
        raise BadInput(
            f"{name} does not lie on this machine any more: name the folder of the bundle "
            "instead, or make it again with its recipe."
        )


def plan_of(order: Order) -> Plan:
    plan = Plan() if order.samples is None else Plan.exactly(order.samples)
    budget = order.budget_seconds
    return plan if budget is None else replace(plan, budget_seconds=budget)


class _Following:
    """One job from its beginning, or from where it is found, to its end."""

    def __init__(
        self,
        worker: Worker,
        begin: Callable[[Worker, ExitStack], tuple[Job, Opened]],
        source: Source,
        tell: Tell,
    ):
        self._worker, self._begin, self._source, self._tell = worker, begin, source, tell
        self._job: Job | None = None
        self._bundles: Opened = []
        self._landed_at = float("-inf")
        self._has_news = False
        worker.say = lambda sentence: tell(Said(sentence))
        worker.report = lambda label, done, total: tell(Counted(label, done, total))
        worker.hear = self._hear
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def leave(self, patience: float = 0.0) -> None:
        """Told again until it has ended: between two errands there is nothing to be ended."""
        until = time.monotonic() + patience
        self._worker.interrupt()
        while self._thread.is_alive() and time.monotonic() < until:
            self._worker.interrupt()
            self._thread.join(_TICK)

    def stop(self) -> None:
        if self._job is None:
            self.leave()
        else:
            threading.Thread(target=self._stop, args=(self._job,), daemon=True).start()

    def _stop(self, job: Job) -> None:
        """By a connection of its own; whoever follows hears of it."""
        try:
            with Worker(self._worker.device) as other:
                if not other.end(job):
                    self._tell(Said(f"job {job.id} does not run at the moment"))
        except BadInput as problem:
            self._tell(Said(str(problem)))

    def _work(self) -> None:
        try:
            over = self._followed()
        except Detached:
            over = self._left()
        except WasStopped as problem:
            over = Over("left", f"{problem} (a goes on with it.)")
        except BadInput as problem:
            over = self._left() if self._worker.stop.is_set() else self._failed(str(problem))
        except Exception as fault:  # a thread's fault would be heard of by nobody
            over = self._failed(f"This is a fault of Secateur's own: {fault!r}.")
        self._tell(over)

    def _followed(self) -> Over:
        with ExitStack() as stack:
            worker = stack.enter_context(self._worker)
            self._job, self._bundles = self._begin(worker, stack)
            cases = tuple(case.id for case in self._job.cases)
            plan = self._job.plan
            self._tell(Begun(self._job.id, cases, plan.min_samples, plan.max_samples))
            found = worker.watch(self._job)
            self._land()
        failed = sum(one.error is not None for one in found)
        told = f"{len(found)} measured" + (f", {failed} of them failed" if failed else "")
        return Over("done", f"{told}: the results are on the first screen.")

    def _left(self) -> Over:
        name = self._worker.device.name
        if self._job is None:
            if asked := self._worker.asked:
                ending = f"`secateur bench stop {name} {asked.id}` ends it"
                return Over("left", f"Job {asked.id} may have been started; {ending}.")
            return Over("left", f"Nothing was started on {name}.")
        job = self._job.id
        return Over("left", f"Job {job} goes on; `secateur bench attach {name} {job}` follows it.")

    def _failed(self, problem: str) -> Over:
        if self._job is None:
            return Over("failed", problem)
        return Over("failed", f"{problem} (a attaches to job {self._job.id} again.)")

    def _hear(self, stamped: Stamped) -> None:
        self._tell(Heard(stamped))
        self._has_news |= isinstance(stamped.event, CaseEnded)
        if self._has_news and time.monotonic() > self._landed_at + _LAND_EVERY:
            try:
                self._land()
            except BadInput as problem:
                self._tell(Said(f"{problem} (It is tried again later.)"))

    def _land(self) -> None:
        """Of a case that has ended there is a result."""
        assert self._job
        self._landed_at, self._has_news = time.monotonic(), False
        name = self._worker.device.name
        bundles = [(path, bundle.sha256) for path, bundle in self._bundles]
        self._source.land(self._worker.folder(self._job.id), name, bundles)
        self._tell(Landed())
