"""Prune, score, export and measure what a recipe asks for; finished work is not done again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.local import Step, measure_here
from bench.remote.devices import THIS
from bench.remote.journal_copy import data_folder
from bench.results import Measurement, read_results, write_results
from bench.rows import Row, rows_from
from pipeline.plan import Cell, cells, fingerprint
from pipeline.progress import Report
from pipeline.recipe import Recipe
from runtime.bundle import Bundle
from runtime.whole_folder import refuse_unwritable
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput

Say = Callable[[str], None]

#: The folder beside the bundles in which a measurement waits to be gone on with.
_UNFINISHED = ".measuring"


@dataclass(frozen=True)
class Outcome:
    rows: list[Row]
    results: Path
    built: int
    measured: int
    #: Names of the bundles that could not be made; why was said.
    missing: tuple[str, ...]


def run(recipe: Recipe, *, report: Report, say: Say, device: str = "auto") -> Outcome:
    """Bring `recipe.output` up to date: one bundle a cell, and a measurement of each.

    `device` is where the workstation prunes and listens; measuring is the CPU's.
    """
    refuse_unwritable(_kept())
    output = Path(recipe.output)
    output.mkdir(parents=True, exist_ok=True)
    corpus = open_corpus(recipe.corpus.evaluate, limit=recipe.corpus.limit, seed=recipe.seed)
    wanted = {cell: fingerprint(cell, recipe, corpus) for cell in cells(recipe)}
    unfinished = [cell for cell, mark in wanted.items() if not _finished(output / cell.name, mark)]
    missing: set[Cell] = set()
    if unfinished:
        from pipeline.build import build
        from prune.device import chosen_device

        place = chosen_device(device)
        for model in dict.fromkeys(cell.model for cell in unfinished):
            mine = {cell: wanted[cell] for cell in unfinished if cell.model == model}
            missing |= build(model, mine, recipe, corpus, device=place, report=report, say=say)
    bundles = [Bundle.open(output / cell.name) for cell in wanted if cell not in missing]
    results = output / "results.jsonl"
    measurements, measured = _measure(bundles, recipe, corpus, results, report)
    built, names = len(unfinished) - len(missing), tuple(sorted(cell.name for cell in missing))
    return Outcome(rows_from(measurements), results, built, measured, names)


def _finished(folder: Path, mark: str) -> bool:
    if not (folder / "bundle.json").is_file():
        return False
    try:
        return bool(Bundle.open(folder).manifest.provenance.get("fingerprint") == mark)
    except BadInput:
        return False


def _measure(
    bundles: Sequence[Bundle], recipe: Recipe, corpus: Corpus, results: Path, report: Report
) -> tuple[list[Measurement], int]:
    """Measure what has no measurement yet under these settings; a killed run goes on with it."""
    settings = recipe.measure
    clips = corpus.clips[: settings.clips]
    known = {m.bundle_sha256: m for m in (read_results(results) if results.exists() else [])}

    def is_current(bundle: Bundle) -> bool:
        found = known.get(bundle.sha256)
        return (
            found is not None
            and found.error is None
            and found.threads == settings.threads
            and len(found.samples) == settings.samples * len(clips)
        )

    missing = [bundle for bundle in bundles if not is_current(bundle)]
    found = measure_here(
        [bundle.folder for bundle in missing],
        clips,
        threads=settings.threads,
        samples=settings.samples,
        normalizer=recipe.corpus.normalizer or corpus.normalizer,
        progress=_Ended(report),
        folder=results.parent / _UNFINISHED,
        kept=_kept(),
    )
    known |= {bundle.sha256: each for bundle, each in zip(missing, found, strict=True)}
    measurements = [known[bundle.sha256] for bundle in bundles]
    write_results(results, measurements)
    return measurements, len(missing)


def _kept() -> Path:
    """Where journals of this machine lie, for the store to take them in."""
    return data_folder() / "jobs" / THIS


class _Ended:
    """Tells how many bundles have been measured."""

    def __init__(self, report: Report):
        self._report, self._count = report, 0

    def __call__(self, step: Step) -> None:
        self._count += step.stage != "started"
        self._report("measuring", self._count, step.total)
