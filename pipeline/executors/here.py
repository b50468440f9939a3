"""Tasks one after another, in this process."""

from collections.abc import Sequence

from pipeline.events import Hear
from pipeline.executors.work import Order, worker
from pipeline.tasks import Task


def here(tasks: Sequence[Task], order: Order, hear: Hear) -> None:
    work = worker()
    for task in tasks:
        work(task, order, hear)
