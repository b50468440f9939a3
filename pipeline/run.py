"""Prune, score, export and measure what a recipe asks for; finished work is not done again."""

import importlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.remote.devices import find_device
from bench.rows import Row, rows_from
from bench.sources import Findings
from pipeline.events import Event, Hear, Planned, Progress, Refused, Warned, Written
from pipeline.executors.work import Order
from pipeline.gpus import check_gpus
from pipeline.locked import alone_in
from pipeline.measuring import RESULTS, Measurements, kept, measure
from pipeline.model_name import ModelName
from pipeline.out_of_reach import note_out_of_reach
from pipeline.plan import is_finished
from pipeline.recipe import Recipe
from pipeline.recipe.check import findings
from pipeline.spoken import scored_on
from pipeline.standing import standing
from pipeline.tasks import STATISTICS, Task, tasks
from pipeline.workers import crew
from prune.checkpoint_files import adapter_note
from runtime.bundle import Bundle
from runtime.whole_folder import full_disk_is_bad_input, refuse_unwritable
from speech.corpora import Corpus
from speech.errors import BadInput

Executor = Literal["local", "ray"]


@dataclass(frozen=True)
class Way:
    """How a run is done; nothing here changes what comes out."""

    #: Where to prune and listen: auto, cuda, mps or cpu. Measuring is the processor's.
    device: str = "auto"
    executor: Executor = "local"
    #: Processes side by side; None for as many as this machine bears.
    workers: int | None = None
    #: Patterns of the bundles' names; empty for all.
    only: Sequence[str] = ()
    #: Whether those bundles are made anew.
    force: bool = False
    #: Whether a page of the results is written beside them.
    report: bool = True
    #: Of the Ray cluster; None for one that is found here or begun.
    ray_address: str | None = None
    #: That share every fine-tuning; what comes out differs by chance alone.
    gpus: int = 1


@dataclass(frozen=True)
class Outcome:
    rows: list[Row]
    results: Path
    built: int
    measured: int
    #: Names of the bundles that could not be made; why was said.
    missing: tuple[str, ...]
    #: Names of those that no run could make.
    unreachable: tuple[str, ...] = ()
    #: Devices that could not be measured on.
    unmeasured: tuple[str, ...] = ()
    #: Bundles that could not be measured, each with its device.
    failed: tuple[str, ...] = ()


def run(
    recipe: Recipe, way: Way | None = None, *, hear: Hear, text: str = "", typed: str = ""
) -> Outcome:
    """Bring `recipe.output` up to date: one bundle a cell, a measurement of each, and a report.

    The report quotes the recipe's `text` and the command that was `typed`.
    """
    way = way or Way()
    refuse_impossible(recipe, way)
    refuse_unwritable(kept())
    output = Path(recipe.output)
    with full_disk_is_bad_input(f"the rest of {output}"), alone_in(output):
        return _run(recipe, way, output, hear, (text, typed))


def refuse_impossible(recipe: Recipe, way: Way) -> None:
    """Before hours of work, not after."""
    on_ray = way.executor == "ray"
    check_gpus(way.gpus, recipe.prune.methods, way.device, on_ray=on_ray, workers=way.workers)
    if on_ray:
        importlib.import_module("pipeline.executors.on_ray")  # which says what it lacks
    for device in recipe.measure.devices:
        find_device(device)
    if faults := findings(recipe).faults:
        raise BadInput(f"{faults[0]}.")


def _run(recipe: Recipe, way: Way, output: Path, hear: Hear, quoted: tuple[str, str]) -> Outcome:
    corpus = scored_on(recipe)
    stands = standing(recipe, corpus, way.only, force=way.force)
    wanted, to_build, beyond = stands.wanted, stands.to_build, dict(stands.beyond)
    by_name, refused = {cell.name: cell for cell in wanted}, set[str]()

    def noting(event: Event) -> None:
        if isinstance(event, Refused):
            refused.add(event.bundle)
            if event.for_good:
                beyond[by_name[event.bundle]] = event.why
                note_out_of_reach(output, wanted, beyond)
        hear(event)

    for cell, why in beyond.items():
        if cell in stands.chosen:
            hear(Refused(cell.name, why, for_good=True))
    made, left = (tuple(c.name for c in cells) for cells in (stands.done, to_build))
    hear(Planned(len(stands.chosen), to_build=left, done=made))
    for model in {cell.model: None for cell in to_build}:
        name = ModelName.of(model)
        if name.folder and (note := adapter_note(name.folder, name.name)):
            hear(Warned(name.short, note))
    _build(tasks(wanted, to_build), tasks(wanted, wanted), recipe, way, noting)
    there = [c for c, mark in wanted.items() if is_finished(output / c.name, mark)]
    if len(there) + len(beyond) == len(wanted):
        shutil.rmtree(output / STATISTICS, ignore_errors=True)
    bundles = [Bundle.open(output / cell.name) for cell in there]
    measured = measure(bundles, recipe, corpus, hear)
    is_news = bool(
        to_build or measured.new or measured.failed or not (output / "report.html").exists()
    )
    if way.report and is_news and measured.all:
        _report(measured, bundles, recipe, corpus, hear, quoted)
    unreachable = {cell.name for cell in beyond if cell in stands.chosen}
    return Outcome(
        rows_from(measured.all, {bundle.sha256: bundle.manifest for bundle in bundles}),
        output / RESULTS,
        len(to_build) - len(refused),
        measured.new,
        tuple(cell.name for cell in to_build if cell.name in refused - unreachable),
        tuple(name for name in by_name if name in unreachable),
        tuple(measured.problems),
        tuple(measured.failed),
    )


def _report(
    measured: Measurements,
    bundles: Sequence[Bundle],
    recipe: Recipe,
    corpus: Corpus,
    hear: Hear,
    quoted: tuple[str, str],
) -> None:
    from pipeline.report import run_hashes, write_run_report
    from pipeline.report_again import Origin

    hear(Progress("writing the report", 0, 1))
    found = Findings(
        measured.all,
        {bundle.sha256: bundle for bundle in bundles},
        {bundle.sha256: bundle.manifest for bundle in bundles},
    )
    text, typed = quoted
    origin = Origin(text, typed, run_hashes(recipe, corpus))
    for path in write_run_report(recipe.name, found, Path(recipe.output), origin=origin):
        hear(Written(str(path)))


def _build(
    to_do: Sequence[Task], whole: Sequence[Task], recipe: Recipe, way: Way, hear: Hear
) -> None:
    if not to_do:
        return
    if way.executor == "ray":
        from pipeline.executors.on_ray import on_ray

        order = Order(recipe, way.device, threads=1)
        on_ray(to_do, order, hear, address=way.ray_address, workers=way.workers)
        return
    own = crew(way.workers, whole, to_do, way.device)
    order = Order(recipe, way.device, threads=own.threads, gpus=way.gpus)
    if own.threads is None:
        from pipeline.executors.here import here

        here(to_do, order, hear)
        return
    from pipeline.executors.side_by_side import side_by_side

    side_by_side(to_do, order, hear, workers=own.workers)
