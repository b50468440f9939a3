"""Prune, score, export and measure what a recipe asks for; finished work is not done again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.local import measure_here
from bench.results import Measurement, read_results, write_results
from bench.rows import Row, rows_from
from pipeline.calibrate import Bar, calibrate
from pipeline.plan import Cell, cells, fingerprint, versions
from pipeline.recipe import Recipe
from prune.names import is_calibrated
from runtime.bundle import Bundle
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput

Say = Callable[[str], None]

#: Clips on which PyTorch and onnxruntime must agree before a bundle is finished.
PARITY_CLIPS = 8


@dataclass(frozen=True)
class Outcome:
    rows: list[Row]
    results: Path
    built: int
    measured: int


def run(recipe: Recipe, *, bar: Bar, say: Say) -> Outcome:
    """Bring `recipe.output` up to date: one bundle a cell, and a measurement of each."""
    output = Path(recipe.output)
    output.mkdir(parents=True, exist_ok=True)
    corpus = open_corpus(recipe.corpus.evaluate, limit=recipe.corpus.limit, seed=recipe.seed)
    wanted = {cell: fingerprint(cell, recipe, corpus) for cell in cells(recipe)}
    unfinished = [cell for cell, mark in wanted.items() if not _finished(output / cell.name, mark)]
    for model in dict.fromkeys(cell.model for cell in unfinished):
        mine = {cell: wanted[cell] for cell in unfinished if cell.model == model}
        _build(model, mine, recipe, corpus, bar=bar, say=say)
    bundles = [Bundle.open(output / cell.name) for cell in wanted]
    results = output / "results.jsonl"
    measurements, measured = _measure(bundles, recipe, corpus, results, bar)
    return Outcome(rows_from(measurements), results, len(unfinished), measured)


def _finished(folder: Path, mark: str) -> bool:
    if not (folder / "bundle.json").is_file():
        return False
    try:
        return bool(Bundle.open(folder).manifest.provenance.get("fingerprint") == mark)
    except BadInput:
        return False


def _build(
    model: str, wanted: dict[Cell, str], recipe: Recipe, corpus: Corpus, *, bar: Bar, say: Say
) -> None:
    """All variants of one model, each from the dense weights."""
    from export.bundle import write_bundle
    from prune.checkpoint import open_checkpoint
    from prune.language import speech_choice
    from prune.listen import transcribe
    from prune.methods import count_zeros, prune
    from speech.scoring import score

    checkpoint = open_checkpoint(model)
    dense = {name: value.clone() for name, value in checkpoint.model.state_dict().items()}
    texts = [clip.text for clip in corpus.clips]
    hessians = None
    if any(is_calibrated(cell.method) for cell in wanted):
        source, clips = recipe.corpus.calibrate, recipe.corpus.calibration_clips
        hessians = calibrate(checkpoint, source, clips, recipe.seed, bar)
    language = None
    if checkpoint.family == "whisper":  # the bundle will be held to the same one
        language = speech_choice(checkpoint.model, None, None).get("language")
    for cell, mark in wanted.items():
        checkpoint.model.load_state_dict(dense)
        if cell.sparsity:
            sparsity = prune(checkpoint.model, cell.method, cell.sparsity, hessians)
        else:
            sparsity = count_zeros(checkpoint.model, 0)
        with bar(f"{cell.name}: listening", len(texts)) as progress:
            spoken = (clip.samples() for clip in corpus.clips)
            heard = transcribe(checkpoint, spoken, language=language, progress=progress)
        result = score(texts, heard, normalizer=recipe.corpus.normalizer or corpus.normalizer)
        write_bundle(
            checkpoint,
            Path(recipe.output) / cell.name,
            name=cell.name,
            method=cell.method,
            sparsity=sparsity,
            score=result,
            provenance={
                "fingerprint": mark,
                "recipe": recipe.model_dump(),
                "model": model,
                "seed": recipe.seed,
                "versions": versions(),
            },
            parity_clips=[clip.samples() for clip in corpus.clips[:PARITY_CLIPS]],
        )
        say(f"{cell.name}: {100 * sparsity.achieved:.1f} % zeros, WER {100 * result.wer:.1f} %")


def _measure(
    bundles: Sequence[Bundle], recipe: Recipe, corpus: Corpus, results: Path, bar: Bar
) -> tuple[list[Measurement], int]:
    """Measure what has no measurement yet under these settings; each is kept as it lands."""
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
    with bar("measuring", len(missing)) as progress:
        for done, bundle in enumerate(missing, start=1):
            (found,) = measure_here(
                [bundle.folder], clips, threads=settings.threads, samples=settings.samples
            )
            known[bundle.sha256] = found
            write_results(results, [known[b.sha256] for b in bundles if b.sha256 in known])
            progress(done)
    measurements = [known[bundle.sha256] for bundle in bundles]
    if not missing:
        write_results(results, measurements)
    return measurements, len(missing)
