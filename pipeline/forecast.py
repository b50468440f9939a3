"""What a run would do, and about what time, memory and disk it would take.

Times are reckoned from the size of the weights and the seconds of speech by rates that were seen on
one core of an x86-64 machine of 2020: good for an order of magnitude, and said to be no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.plan import Cell
from pipeline.recipe import Recipe
from pipeline.run import Way, refuse_impossible
from pipeline.spoken import scored_on
from pipeline.standing import standing
from pipeline.tasks import Task, tasks
from pipeline.workers import crew, memory_each, model_bytes
from prune.methods import METHODS
from speech.counted import counted

#: Bytes of a bundle's graphs for each byte of the checkpoint, and of the checkpoint beside them.
_GRAPHS = {"fp32": 1.0, "fp16": 0.55, "int8": 0.35, "mixed": 0.3, "int4": 0.25}
_CHECKPOINT = {"plain": 1.0, "packed": 0.6, "none": 0.0}

#: Seconds of one core, for each clip and byte of the checkpoint: to hear it, to work out what obs
#: needs of it, and to cut out heads and neurons by it.
_TO_HEAR, _TO_SOLVE, _TO_SLICE = 5e-9, 1e-8, 4e-8
#: To learn from a clip is to hear it, to go back, and to hear it again.
_TO_LEARN = 3 * _TO_HEAR
#: To export, however small the model is, and for each byte.
_EXPORT, _TO_EXPORT = 2.0, 4e-8


Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Expected:
    bundle: str
    #: done, build, left out or out of reach
    state: str
    seconds: float | None
    bytes: int | None


@dataclass(frozen=True)
class Forecast:
    """Estimates, all of them; None where a model is not here and nobody knows its size."""

    recipe: str
    output: str
    bundles: list[Expected]
    #: None where a Ray cluster gives as many as it has room for.
    workers: int | None
    #: With so many workers; with one, if nobody knows how many.
    seconds: float | None
    memory_bytes: int | None
    disk_bytes: int | None
    #: What is then measured on.
    devices: list[str]


def forecast(recipe: Recipe, way: Way) -> Forecast:
    refuse_impossible(recipe, way)
    corpus = scored_on(recipe)
    stands = standing(recipe, corpus, way.only, force=way.force)
    wanted, to_build = stands.wanted, stands.to_build
    expected = [_expected(cell, stands.of(cell), recipe, len(corpus)) for cell in wanted]
    workers = _workers(way, tasks(wanted, wanted), tasks(wanted, to_build))
    building = [each for each in expected if each.state == "build"]
    seconds = _sum([each.seconds for each in building])
    sizes = [model_bytes(cell.model) for cell in to_build]
    return Forecast(
        recipe.name,
        recipe.output,
        expected,
        workers,
        None if seconds is None else seconds / (workers or 1),
        None if 0 in sizes else (workers or 1) * memory_each(max(sizes, default=0)),
        _sum([each.bytes for each in building]),
        list(recipe.measure.devices),
    )


def _workers(way: Way, whole: list[Task], to_do: list[Task]) -> int | None:
    if way.executor == "ray":
        return way.workers
    return crew(way.workers, whole, to_do, way.device).workers if to_do else 1


def _expected(cell: Cell, state: str, recipe: Recipe, clips: int) -> Expected:
    if state != "build":
        return Expected(cell.name, state, None, None)
    size = model_bytes(cell.model)
    if not size:
        return Expected(cell.name, "build", None, None)
    seconds = _EXPORT + size * (clips * _TO_HEAR + _TO_EXPORT)
    if cell.precision == "fp32":
        seconds += size * _to_cut(cell, recipe)
    share = _GRAPHS[cell.precision]
    share += _CHECKPOINT[recipe.export.pytorch] if cell.precision == "fp32" else 0
    return Expected(cell.name, "build", seconds, round(size * share))


def _to_cut(cell: Cell, recipe: Recipe) -> float:
    """Seconds for each byte of the checkpoint."""
    method = METHODS.get(cell.method)
    if method is None:
        return 0.0
    clips, plan = recipe.corpus.calibration_clips, recipe.prune.fine_tuning
    seconds = clips * _TO_HEAR if method.listens else 0.0
    if method.structure == "heads and neurons":
        seconds += clips * _TO_SLICE
    elif method.score == "obs":
        seconds += clips * _TO_SOLVE
    if method.fine_tunes:
        shared = len(cell.path) or 1  # those of a gradual method have one lesson among them
        seconds += plan.steps * plan.batch * plan.accumulate * _TO_LEARN / shared
    return seconds


def _sum(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def lines(plan: Forecast) -> Iterator[str]:
    """For people."""
    for each in plan.bundles:
        took = "" if each.seconds is None else f"  about {_duration(each.seconds)}"
        yield f"  {each.state:12}  {each.bundle}{took}"
    building = [each for each in plan.bundles if each.state == "build"]
    yield ""
    if not building:
        yield f"{plan.recipe}: nothing is to be built."
        return
    beside = (
        f"{plan.workers} at a time" if plan.workers else "as many at a time as Ray has room for"
    )
    yield (
        f"{plan.recipe}: {counted(len(building), 'bundle')} to build in {plan.output}, {beside}; "
        f"then measured on {', '.join(plan.devices)}."
    )
    if plan.seconds is None or plan.disk_bytes is None or plan.memory_bytes is None:
        yield "How long it takes nobody knows before the models are here: they are on the hub."
        return
    alone = "" if plan.workers else " one after another"
    yield (
        f"Estimated, by rates of another machine: {_duration(plan.seconds)} to build{alone}, "
        f"{plan.memory_bytes / 2**30:.1f} GiB of memory at most, "
        f"{plan.disk_bytes / 2**20:.0f} MiB of disk."
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
