"""Several devices at once, each in a thread of its own; one that fails does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.agent.job import Job
from bench.agent.measurement import Measurement
from bench.remote.courier import Detached
from bench.remote.work import Worker
from speech.errors import BadInput

_TICK = 0.2


@dataclass
class Outcome:
    """What became of one device's part: measurements, a reason why not, or only a job."""

    device: str
    job: Job | None = None
    measurements: list[Measurement] = field(default_factory=list)
    problem: str | None = None
    detached: bool = False


#: What to begin, or find, on a device.
Begin = Callable[[Worker], Job]


def all_at_once(workers: Sequence[Worker], begin: Begin, *, look_on: bool = True) -> list[Outcome]:
    """Begin on every device, and follow to the end unless nobody is to `look_on`.

    Ctrl-C ends the looking on and nothing else; the outcomes say which jobs go on. Faults of our
    own, other than BadInput, are raised.
    """
    outcomes = [Outcome(worker.device.name) for worker in workers]
    faults: list[Exception] = []

    def work(worker: Worker, outcome: Outcome) -> None:
        try:
            _work(worker, outcome, begin, look_on)
        except Exception as fault:
            faults.append(fault)

    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
        threads = [
            threading.Thread(target=work, args=pair, daemon=True)
            for pair in zip(workers, outcomes, strict=True)
        ]
        for thread in threads:
            thread.start()
        _join(threads, workers)
    if faults:
        raise faults[0]
    return outcomes


def _work(worker: Worker, outcome: Outcome, begin: Begin, look_on: bool) -> None:
    try:
        outcome.job = begin(worker)
        if look_on:
            outcome.measurements = worker.watch(outcome.job)
        outcome.detached = not look_on
    except Detached:
        outcome.detached = True
    except BadInput as problem:
        outcome.problem = str(problem)


def _join(threads: Sequence[threading.Thread], workers: Sequence[Worker]) -> None:
    while any(thread.is_alive() for thread in threads):
        try:
            for thread in threads:
                thread.join(_TICK)
        except KeyboardInterrupt:
            for worker in workers:
                worker.interrupt()
