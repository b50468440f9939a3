"""The measurements that a recipe asks for, here and on devices; none is made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.agent.job import Job, Plan
from bench.local import Step, measure_here
from bench.remote.devices import THIS, Device, find_device
from bench.remote.fleet import all_at_once
from bench.remote.journal_copy import data_folder
from bench.remote.work import Request, Worker
from bench.results import Measurement, read_results, write_results
from pipeline.events import Hear, Measured, Progress, Warned
from pipeline.recipe.schema import Recipe
from runtime.bundle import Bundle
from runtime.settings import Settings
from runtime.whole_folder import whole_file
from speech.corpora import Corpus
from speech.errors import BadInput

#: The folder beside the bundles in which measurements wait to be gone on with.
UNFINISHED = ".measuring"

RESULTS = "results.jsonl"

#: By device and hash of the bundle.
_Known = dict[tuple[str, str | None], Measurement]


@dataclass
class Measurements:
    #: What there is of the bundles, device by device.
    all: list[Measurement]
    #: How many of them were made now.
    new: int = 0
    #: What could not be measured, and on which device.
    failed: list[str] = field(default_factory=list)
    #: By device why it was not measured.
    problems: dict[str, str] = field(default_factory=dict)

    def count(self, device: str, found: Measurement) -> None:
        if found.error is None:
            self.new += 1
        else:
            self.failed.append(f"{found.name} on {device}")


def kept() -> Path:
    """Where journals of this machine lie, for the store to take them in."""
    return data_folder() / "jobs" / THIS


def measure(bundles: Sequence[Bundle], recipe: Recipe, corpus: Corpus, hear: Hear) -> Measurements:
    """Measure what has no measurement yet under these settings; a killed run goes on with it."""
    results = Path(recipe.output) / RESULTS
    clips = replace(
        corpus.first(recipe.measure.clips), normalizer=recipe.corpus.normalizer or corpus.normalizer
    )
    known: _Known = {
        (str(found.environment.get("device") or THIS), found.bundle_sha256): found
        for found in (read_results(results) if results.exists() else [])
    }
    missing = {
        device: [
            b for b in bundles if not _is_current(known.get((device, b.sha256)), recipe, clips)
        ]
        for device in recipe.measure.devices
    }
    outcome = Measurements([])
    for found in _here(missing.pop(THIS, []), recipe, clips, hear):
        known[THIS, found.bundle_sha256] = found
        outcome.count(THIS, found)
    _write(results, known, bundles, recipe)
    elsewhere = {device: those for device, those in missing.items() if those}
    for device, found in _on_devices(elsewhere, recipe, clips, hear, outcome.problems):
        known[device, found.bundle_sha256] = found
        outcome.count(device, found)
    outcome.all = _write(results, known, bundles, recipe)
    return outcome


def _write(
    results: Path, known: _Known, bundles: Sequence[Bundle], recipe: Recipe
) -> list[Measurement]:
    wanted = [(device, bundle.sha256) for device in recipe.measure.devices for bundle in bundles]
    found = [known[which] for which in wanted if which in known]
    write_results(results, found)
    return found


def _is_current(found: Measurement | None, recipe: Recipe, clips: Corpus) -> bool:
    return (
        found is not None
        and found.error is None
        and found.threads == recipe.measure.threads
        and len(found.samples) == recipe.measure.samples * len(clips)
    )


def _here(
    bundles: Sequence[Bundle], recipe: Recipe, clips: Corpus, hear: Hear
) -> list[Measurement]:
    names = {bundle.folder: bundle.manifest.name for bundle in bundles}

    def heard(step: Step) -> None:
        if step.stage != "started":
            hear(Measured(names.get(step.bundle, step.bundle.name), THIS, step.error))

    return measure_here(
        [bundle.folder for bundle in bundles],
        clips.clips,
        threads=recipe.measure.threads,
        warm_up=recipe.measure.warm_up,
        samples=recipe.measure.samples,
        normalizer=clips.normalizer,
        corpus=clips.name,
        corpus_set=clips.corpus_set,
        progress=heard,
        report=lambda label, done, total: hear(Progress(label, done, total)),
        folder=Path(recipe.output) / UNFINISHED,
        kept=kept(),
    )


def _on_devices(
    missing: Mapping[str, Sequence[Bundle]],
    recipe: Recipe,
    clips: Corpus,
    hear: Hear,
    problems: dict[str, str],
) -> list[tuple[str, Measurement]]:
    """All of them at once; one that cannot be measured does not stop the others."""
    if not missing:
        return []

    def begin(worker: Worker) -> Job:
        return _begun(worker, missing[worker.device.name], recipe, clips)

    outcomes = all_at_once([_worker(find_device(name), hear) for name in missing], begin)
    if any(outcome.detached for outcome in outcomes):
        raise KeyboardInterrupt
    measured = []
    for outcome in outcomes:
        if outcome.problem:
            problems[outcome.device] = outcome.problem
            hear(Warned(outcome.device, outcome.problem))
            continue
        _note(recipe, outcome.device).unlink(missing_ok=True)
        for found in outcome.measurements:
            measured.append((outcome.device, found))
            hear(Measured(found.name, outcome.device, found.error))
    return measured


def _begun(worker: Worker, bundles: Sequence[Bundle], recipe: Recipe, clips: Corpus) -> Job:
    """The job that an interrupted run has left there, if it is for the same; else a new one."""
    count = recipe.measure.samples * len(clips)
    plan = Plan.exactly(count, warm_up=recipe.measure.warm_up)
    request = Request(
        bundles, clips, [Settings(threads=recipe.measure.threads)], plan, recipe.seed, wait=True
    )
    note = _note(recipe, worker.device.name)
    try:
        job = worker.find(note.read_text(encoding="utf-8").strip())
        if [case.bundle_sha256 for case in job.cases] == [
            b.sha256 for b in bundles
        ] and job.plan == plan:
            return job
    except (OSError, BadInput):
        pass  # there is none, or it is gone
    job = worker.begin(request)
    with whole_file(note, replace=True) as file:
        file.write(job.id.encode())
    return job


def _note(recipe: Recipe, device: str) -> Path:
    """Beside `.measuring`, which goes when this machine is done."""
    return Path(recipe.output) / f"{UNFINISHED}-{device}"


def _worker(device: Device, hear: Hear) -> Worker:
    def said(line: str) -> None:
        hear(Warned(device.name, line))

    def report(label: str, done: int, total: int) -> None:
        hear(Progress(f"{device.name}: {label}", done, total))

    return Worker(device, report=report, say=said)
