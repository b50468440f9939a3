"""Tasks in several processes of this machine.

Each has its share of the processor's threads. A process that is killed, as for want of memory,
costs its task: what was under way is begun again by one process alone, so that it is clear whose
fault it is.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from multiprocessing.managers import SyncManager
from typing import Any

from loky import ProcessPoolExecutor
from loky.process_executor import TerminatedWorkerError

from pipeline.events import Event, Hear, Refused, Warned
from pipeline.executors.ending import end_with
from pipeline.executors.work import Order, seldom, worker
from pipeline.tasks import Task

_KILLED = "its process was killed, most likely for want of memory: try fewer --workers"


def side_by_side(tasks: Sequence[Task], order: Order, hear: Hear, *, workers: int) -> None:
    """What takes long is begun first; of each model in a row, for it is opened once a process."""
    waiting = sorted(tasks, key=lambda task: -task.effort)
    with _manager() as manager:
        events = manager.Queue()
        listener = threading.Thread(target=_listen, args=(events, hear), daemon=True)
        listener.start()
        try:
            left = _round(waiting, order, events, workers)
            if left:
                hear(Warned(left[0].cells[0].name, f"{_KILLED}; going on with one process"))
            for task in left:
                if _round([task], order, events, 1):
                    for cell, _ in task.to_do:
                        hear(Refused(cell.name, _KILLED))
        finally:
            events.put(None)
            listener.join()


def _manager() -> SyncManager:
    """A process that passes events on."""
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(end_with, (os.getpid(),))
    return manager


def _round(tasks: Sequence[Task], order: Order, events: Any, workers: int) -> list[Task]:
    """Gives back the tasks that were not ended because a process was killed."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:  # killed, they leave theirs
        return _left_by(_pool(order, workers, place), tasks, order, events)


def _pool(order: Order, workers: int, place: str) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        initializer=_begin,
        initargs=(os.getpid(), order.threads),
        env={**_environment(order.threads), "TMPDIR": place},
    )


def _left_by(
    pool: ProcessPoolExecutor, tasks: Sequence[Task], order: Order, events: Any
) -> list[Task]:
    left = list(tasks)
    try:
        futures: dict[Future[None], Task] = {
            pool.submit(_work, task, order, events): task for task in tasks
        }
        for future in as_completed(futures):
            try:
                future.result()
            except TerminatedWorkerError:
                continue
            left.remove(futures[future])
    except BaseException:
        pool.shutdown(wait=True, kill_workers=True)
        raise
    pool.shutdown(wait=True)
    return left


def _environment(threads: int | None) -> dict[str, str]:
    count = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    return {**count, "OMP_WAIT_POLICY": "PASSIVE"}


def _listen(events: Any, hear: Hear) -> None:
    while (event := events.get()) is not None:
        hear(event)


# From here on: in the processes.

_worker: Callable[[Task, Order, Hear], None] | None = None


def _begin(parent: int, threads: int | None) -> None:
    """Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    if threads:
        import torch

        torch.set_num_threads(threads)


def _work(task: Task, order: Order, events: Any) -> None:
    global _worker
    _worker = _worker or worker()

    def hear(event: Event) -> None:
        events.put(event)

    _worker(task, order, seldom(hear))
