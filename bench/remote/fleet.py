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
    asked: Job | None = None  # without `job`: it may have been started all the same


#: What to begin, or find, on a device.
Begin = Callable[[Worker], Job]


def all_at_once(workers: Sequence[Worker], begin: Begin, *, look_on: bool = True) -> list[Outcome]:
    """Begin on every device, and follow to the end unless nobody is to `look_on`.

    Ctrl-C ends the looking on and nothing else; the outcomes say which jobs go on. Faults of our
    own, other than BadInput, are raised.
    """
    outcomes = [Outcome(worker.device.name) for worker in workers]
    endings = [threading.Event() for _ in workers]
    faults: list[Exception] = []

    def work(worker: Worker, outcome: Outcome, ending: threading.Event) -> None:
        try:
            _work(worker, outcome, begin, look_on)
        except Exception as fault:
            faults.append(fault)
        finally:
            ending.set()

    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
        for parts in zip(workers, outcomes, endings, strict=True):
            threading.Thread(target=work, args=parts, daemon=True).start()
        _wait(endings, workers)
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
        if worker.stop.is_set():  # an errand that we ended ourselves
            outcome.detached = True
        else:
            outcome.problem = str(problem)
    finally:
        outcome.asked = worker.asked


def _wait(endings: Sequence[threading.Event], workers: Sequence[Worker]) -> None:
    """Not by `Thread.join`: a thread that it is interrupted in passes for ended in Python 3.11.

    After Ctrl-C they are told again and again: between two errands there is nothing to be ended.
    """
    is_leaving = False
    while not all(ending.is_set() for ending in endings):
        try:
            for worker in workers if is_leaving else ():
                worker.interrupt()
            for ending in endings:
                ending.wait(_TICK)
        except KeyboardInterrupt:
            is_leaving = True
