"""One task, done by whichever process has been given it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.events import Event, Hear, Progress
from pipeline.recipe import Recipe
from pipeline.tasks import Task
from pipeline.workers import model_bytes
from runtime.whole_folder import full_disk_is_bad_input

#: Bytes of weights, of all models that stay open together.
_SMALL = 64 << 20

#: Seconds between two looks at how far something is.
_TICK = 0.2


@dataclass(frozen=True)
class Order:
    """What all tasks of a run have in common."""

    recipe: Recipe
    #: auto, cuda, mps or cpu.
    device: str = "auto"
    #: Processor threads of each process; None for as many as torch takes.
    threads: int | None = None
    #: The recipe as the user wrote it, where work is done with other folders than those.
    written: Recipe | None = None
    #: That share every fine-tuning.
    gpus: int = 1


def worker() -> Callable[[Task, Order, Hear], None]:
    """Does tasks one after another, and keeps their models open while those are small."""
    from pipeline.workshop import Workshop
    from prune.device import chosen_device

    opened: dict[tuple[str, str], Workshop] = {}

    def work(task: Task, order: Order, hear: Hear) -> None:
        which = (task.model, order.recipe.model_dump_json())
        if which not in opened:
            models = {task.model, *(model for model, _ in opened)}
            if sum(map(model_bytes, models)) > _SMALL or not model_bytes(task.model):
                opened.clear()
            device = chosen_device(order.device)
            opened[which] = Workshop(
                task.model, order.recipe, device, hear, written=order.written, gpus=order.gpus
            )
        workshop = opened[which]
        workshop.hear = hear
        workshop.work(task)

    def work_or_say_that_the_disk_is_full(task: Task, order: Order, hear: Hear) -> None:
        """Told here, for no error takes along to another process what it comes of."""
        with full_disk_is_bad_input(f"the rest of {order.recipe.output}"):
            work(task, order, hear)

    return work_or_say_that_the_disk_is_full


def seldom(hear: Hear) -> Hear:
    """Lets progress through a few times a second, and all else at once."""
    last = 0.0

    def heard(event: Event) -> None:
        nonlocal last
        if isinstance(event, Progress) and event.done < event.total:
            now = time.monotonic()
            if now - last < _TICK:
                return
            last = now
        hear(event)

    return heard
