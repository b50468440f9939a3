"""What a node of a Ray cluster does: one task, with what the driver has sent, and back by content.

No file system is shared. What tasks of one run have in common lies in one folder of the node.
"""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from pipeline.events import Built, Event, Hear, Progress, Refused
from pipeline.executors.parcels import Parcel, unpacked
from pipeline.executors.work import Order, seldom, worker
from pipeline.plan import Cell, versions
from pipeline.recipe import Recipe
from pipeline.tasks import Task
from runtime.archive import pack, unpack
from runtime.archive_reader import SUFFIX
from runtime.whole_folder import written_whole
from speech.errors import BadInput

#: The bytes of a file; Ray takes them over as they lie on the disk.
Content = NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    #: Of the run, nobody else's.
    id: str
    task: Task
    #: With the recipe as the user wrote it.
    order: Order
    #: Of the libraries on the driver; by them it knows a finished bundle again.
    versions: Mapping[str, str]
    #: Folders that only the driver has, by what the recipe calls them.
    parcels: Mapping[str, Parcel]
    #: Archives of the fp32 bundles that are there already, by name.
    parents: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    event: Built | Refused
    #: An archive of the bundle.
    content: Content | None = None


def packed_content(bundle: Path) -> Content:
    """The bundle's archive; its bytes are on a disk without a name until nobody has them."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:
        archive = Path(place) / f"bundle{SUFFIX}"
        pack(bundle, archive)
        return np.asarray(np.memmap(archive, np.uint8, mode="r"))


def unpack_content(content: Content, folder: Path) -> None:
    """Into an empty folder; every hash is looked at."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:
        archive = Path(place) / f"bundle{SUFFIX}"
        content.tofile(archive)
        unpack(archive, folder)


class Board:
    """An actor to which nodes tell what they are at, and where the driver reads it."""

    def __init__(self) -> None:
        self._told: list[Event] = []

    def tell(self, event: Event) -> None:
        self._told.append(event)

    def read(self) -> list[Event]:
        told, self._told = self._told, []
        return told


def folder_of(id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"secateur-{id}"


def clear(id: str) -> None:
    shutil.rmtree(folder_of(id), ignore_errors=True)


_worker: Callable[[Task, Order, Hear], None] | None = None


def make(job: Job, board: Any) -> Any:
    """What came of each cell that was to be made; by itself if it is one alone, as Ray has it."""
    import torch

    global _worker
    _refuse_other_versions(job.versions)
    torch.set_num_threads(job.order.threads or 1)
    there = _There(job)
    first = job.task.to_do[0][0].name
    board.tell.remote(Progress(f"{first}: begun on {socket.gethostname()}", 0, 1))
    outcome: dict[str, Built | Refused] = {}

    def hear(event: Event) -> None:
        event = there.at_home(event)
        if isinstance(event, Built | Refused):
            outcome[event.bundle] = event
        else:
            board.tell.remote(event)

    try:
        with there.bundles():
            _worker = _worker or worker()
            _worker(there.task, there.order, seldom(hear))
            made = [there.made(outcome[cell.name]) for cell, _ in there.task.to_do]
    except BadInput as error:
        raise BadInput(there.in_words_of_home(str(error))) from None
    return made if len(made) > 1 else made[0]


def _refuse_other_versions(wanted: Mapping[str, str]) -> None:
    for name, here in versions().items():
        if here != wanted[name]:
            raise BadInput(
                f"The Ray node {socket.gethostname()} has {name} {here} and this machine has "
                f"{wanted[name]}: install the same versions on both."
            )


class _There:
    """The task in the words of this node: with folders of its own for those of the driver."""

    def __init__(self, job: Job):
        self._job, self._folder = job, folder_of(job.id)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._output = self._folder / "output"
        self._output.mkdir(exist_ok=True)
        self._places = {
            name: str(unpacked(parcel, self._folder / "inputs", ray.get))
            for name, parcel in job.parcels.items()
        }
        self.task = self._task(job.task)
        recipe = job.order.recipe
        self.order = replace(job.order, recipe=self._recipe(recipe), written=recipe)

    def _recipe(self, recipe: Recipe) -> Recipe:
        corpus = {
            key: self._places.get(value, value)
            for key in ("evaluate", "calibrate", "lessons")
            if (value := getattr(recipe.corpus, key)) is not None
        }
        changes = {
            "output": str(self._output),
            "models": [self._places.get(model, model) for model in recipe.models],
            "corpus": recipe.corpus.model_copy(update=corpus),
        }
        return recipe.model_copy(update=changes)

    def _task(self, task: Task) -> Task:
        model = self._places.get(task.model, task.model)

        def here(cell: Cell) -> Cell:
            return replace(cell, model=model)

        wanted = tuple((here(cell), mark) for cell, mark in task.wanted)
        return Task(model, wanted, frozenset(here(cell) for cell in task.missing))

    @contextmanager
    def bundles(self) -> Iterator[None]:
        """Those that others are made from; afterwards no bundle of the task is left."""
        places = [self._output / cell.name for cell in self.task.cells]
        try:
            for name, parent in self._job.parents.items():
                with written_whole(self._output / name, replace=True) as place:
                    unpack_content(ray.get(parent), place)
            yield
        finally:
            for place in places:
                shutil.rmtree(place, ignore_errors=True)

    def made(self, event: Built | Refused) -> Made:
        if isinstance(event, Refused):
            return Made(event)
        return Made(event, packed_content(self._output / event.bundle))

    def at_home(self, event: Event) -> Event:
        if isinstance(event, Refused):
            return replace(event, why=self.in_words_of_home(event.why))
        return event

    def in_words_of_home(self, said: str) -> str:
        for name, place in self._places.items():
            said = said.replace(place, name)
        return said.replace(str(self._output), self._job.order.recipe.output)
