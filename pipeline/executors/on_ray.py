"""Tasks on a Ray cluster: each on whichever node has room, bundles come back by content.

A worker or node that is lost costs what it was at: that is begun again, a few times. Whoever is
the driver counts, not Ray, so that it is told and a task for which no node has the memory ends.
"""

import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from export.bundle import refuse_to_replace
from pipeline.events import Hear, Refused, Warned
from pipeline.executors.parcels import Parcel, packed
from pipeline.executors.work import Order
from pipeline.model_name import ModelName
from pipeline.plan import Cell, versions
from pipeline.tasks import Task
from pipeline.workers import crew
from runtime.whole_folder import full_disk_is_bad_input, written_whole
from speech.corpora.opening import NAMES
from speech.errors import BadInput

try:
    import ray
    from ray import exceptions as lost
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as error:
    raise BadInput(
        f"--executor ray needs {error.name}, which is not installed here: "
        "pip install 'secateur[ray]'."
    ) from error

from pipeline.executors.ray_cluster import connected, demands
from pipeline.executors.ray_node import (
    Board,
    Job,
    Made,
    clear,
    make,
    packed_content,
    unpack_content,
)

#: How often a task is begun before it is given up.
_TIMES = 4

#: Seconds between two looks at what the nodes tell, and that they have to clear up at the end.
_TICK, _TO_CLEAR = 0.2, 30.0

#: What becomes of a task when its worker, its node, or what it gave back is gone.
_LOST = (
    lost.WorkerCrashedError,
    lost.NodeDiedError,
    lost.OutOfMemoryError,
    lost.ObjectLostError,
    lost.LocalRayletDiedError,
)


def on_ray(
    tasks: Sequence[Task],
    order: Order,
    hear: Hear,
    *,
    address: str | None = None,
    workers: int | None = None,
) -> None:
    """What takes long is begun first, `workers` at a time: as many as the cluster has room for.

    A cluster that is begun here has as many as this machine bears.
    """
    with connected(address) as begun_here:
        if begun_here:
            workers = crew(workers, tasks, tasks, order.device).workers
        run = _Run(order, hear, workers or len(tasks))
        try:
            run.do(sorted(tasks, key=lambda task: -task.effort))
        finally:
            run.end()


@dataclass(frozen=True)
class _Attempt:
    task: Task
    times: int
    #: One for each cell that is to be made.
    answers: list[Any]


class _Run:
    def __init__(self, order: Order, hear: Hear, workers: int):
        self._order, self._hear, self._workers = order, hear, workers
        self._id, self._output = uuid.uuid4().hex[:16], Path(order.recipe.output)
        needs = demands(order)
        if needs["num_gpus"]:
            self._order = replace(order, device="cuda")
        self._make: Any = ray.remote(**needs)(make)
        self._board: Any = ray.remote(Board).options(num_cpus=0).remote()
        self._corpora = self._sent_corpora()
        self._sent_model = cache(_sent_model)
        self._flying: dict[Any, _Attempt] = {}

    def do(self, tasks: Sequence[Task]) -> None:
        waiting = deque((task, 1) for task in tasks)
        while waiting or self._flying:
            while waiting and len(self._flying) < self._workers:
                self._begin(*waiting.popleft())
            landed, _ = ray.wait([*self._flying], timeout=_TICK, fetch_local=False)
            self._tell()
            for answer in landed:
                attempt = self._flying.pop(answer)
                left, why = self._landed(attempt)
                if left and attempt.times < _TIMES:
                    first = left.to_do[0][0].name
                    self._hear(Warned(first, f"{why}; begun again ({attempt.times + 1}.)"))
                    waiting.append((left, attempt.times + 1))
                elif left:
                    for cell, _ in left.to_do:
                        self._hear(Refused(cell.name, f"{why}, {_TIMES} times."))

    def _begin(self, task: Task, times: int) -> None:
        job = Job(
            self._id,
            task,
            self._order,
            versions(),
            self._corpora | self._sent_model(task.model),
            self._parents(task),
        )
        answers = self._make.options(num_returns=len(task.to_do)).remote(job, self._board)
        answers = answers if isinstance(answers, list) else [answers]
        self._flying[answers[0]] = _Attempt(task, times, answers)

    def _parents(self, task: Task) -> dict[str, Any]:
        """The fp32 bundles that are there and that others are still to be made from."""
        needed = {cell.in_fp32 for cell in task.missing} - task.missing
        folders = {cell.name: self._output / cell.name for cell in needed}
        return {
            name: ray.put(packed_content(folder))
            for name, folder in folders.items()
            if folder.is_dir()
        }

    def _landed(self, attempt: _Attempt) -> tuple[Task | None, str]:
        """The task with what of it is still to be made, if anything is, and why."""
        had = set[Cell]()
        for (cell, _), answer in zip(attempt.task.to_do, attempt.answers, strict=True):
            try:
                made: Made = ray.get(answer)
            except _LOST as error:
                left = attempt.task.missing - had
                return replace(attempt.task, missing=left), _reason(error)
            except lost.RayTaskError as error:
                raise _of_the_task(error) from error
            except lost.RayError as error:
                raise BadInput(f"The Ray cluster cannot do it: {_first_line(error)}.") from error
            self._keep(made)
            had.add(cell)
        return None, ""

    def _keep(self, made: Made) -> None:
        event = made.event
        if made.content is not None:
            folder = self._output / event.bundle
            try:
                refuse_to_replace(folder)
                with full_disk_is_bad_input(str(folder)), written_whole(folder, replace=True) as p:
                    unpack_content(made.content, p)
            except BadInput as error:
                event = Refused(event.bundle, str(error))
        self._hear(event)

    def _tell(self) -> None:
        with suppress(lost.RayActorError):  # its node is gone, and only bars with it
            for event in ray.get(self._board.read.remote()):
                self._hear(event)

    def _sent_corpora(self) -> dict[str, Parcel]:
        corpus = self._order.recipe.corpus
        named = {corpus.evaluate, corpus.calibrate, corpus.lessons} - {None, *NAMES}
        folders = {name: Path(name).expanduser() for name in named if name}
        return {
            name: packed(folder.resolve(), ray.put)
            for name, folder in folders.items()
            if folder.is_dir()
        }

    def end(self) -> None:
        """No task goes on, and no node keeps anything."""
        for answer in self._flying:
            ray.cancel(answer, force=True)
        clearing: list[Any] = [
            ray.remote(clear)
            .options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            )
            .remote(self._id)
            for node in ray.nodes()
            if node["Alive"]
        ]
        ray.wait(clearing, num_returns=len(clearing), timeout=_TO_CLEAR)
        ray.kill(self._board)


def _sent_model(model: str) -> dict[str, Parcel]:
    """A folder of the user's; what is bundled or on the hub the nodes have themselves."""
    name = ModelName.of(model)
    if name.place != "folder" or name.folder is None:
        return {}
    if name.short in ("", ".."):
        raise BadInput(f"The model {model!r} cannot go to other machines: give its folder a name.")
    return {model: packed(name.folder, ray.put)}


def _reason(error: Exception) -> str:
    if isinstance(error, lost.OutOfMemoryError):
        return "its node had no memory left"
    if isinstance(error, lost.NodeDiedError | lost.LocalRayletDiedError):
        return "its node was lost"
    if isinstance(error, lost.ObjectLostError):
        return "the node that had made it was lost"
    return "its process was killed, most likely for want of memory"


def _of_the_task(error: Any) -> BaseException:
    """What was raised on the node, without the traces of the way."""
    cause: BaseException = error.cause
    if isinstance(cause, BadInput):
        return BadInput(str(cause))
    if "failed to import on the worker" in str(cause):
        return BadInput(
            "A node of the Ray cluster cannot begin: install the same Secateur there, "
            "with pip install 'secateur[host,ray]'."
        )
    return cause


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
