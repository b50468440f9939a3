"""All variants of one model: pruned, listened to and exported, each from the dense weights."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from export.bundle import write_bundle
from export.precision import Precision, graph_precisions
from export.variant import write_variant
from pipeline.plan import Cell, model_from, versions
from pipeline.progress import Report
from pipeline.prune_record import learning
from pipeline.prune_summary import told
from pipeline.recipe import Recipe
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.language import speech_choice
from prune.listen import transcribe
from prune.methods import METHODS
from prune.oneshot import Statistics
from prune.option_use import used
from prune.schedule import Pruned, prune
from prune.structure.size import size, sparsity_since
from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput
from speech.scoring import Score, score

Say = Callable[[str], None]

#: Clips on which PyTorch and onnxruntime must agree before a bundle is finished.
PARITY_CLIPS = 8


def build(
    model: str,
    wanted: Mapping[Cell, str],
    recipe: Recipe,
    corpus: Corpus,
    *,
    device: torch.device,
    report: Report,
    say: Say,
) -> set[Cell]:
    """Write a bundle for each of the cells, which come with their fingerprints.

    Gives back those of which there could be none; why was said.
    """
    workshop = _Workshop(model, recipe, corpus, device, report, _calibration(wanted, recipe))
    missing: set[Cell] = set()
    for cell, mark in wanted.items():
        try:
            if cell.in_fp32 in missing:
                raise BadInput("there is no fp32 bundle to make it from.")
            for line in workshop.made(cell, mark):
                say(f"{cell.name}: {line}")
        except BadInput as error:
            missing.add(cell)
            say(f"{cell.name} could not be made: {error}")
    return missing


def _calibration(wanted: Mapping[Cell, str], recipe: Recipe) -> Corpus | None:
    to_prune = [METHODS.get(cell.method) for cell in wanted if cell.precision == "fp32"]
    if not any(method and method.listens for method in to_prune):
        return None
    clips = recipe.corpus.calibration_clips
    return open_corpus(recipe.corpus.calibrate, limit=clips, seed=recipe.seed)


def _lines(pruned: Pruned, heard: Score) -> Iterator[str]:
    yield f"{100 * pruned.sparsity.achieved:.1f} % zeros, WER {100 * heard.wer:.1f} %"
    for lesson in learning(pruned)["lessons"]:
        if lesson["stopped"].startswith("diverged"):
            yield f"fine-tuning failed: {told(lesson)}"


@contextmanager
def _work(output: Path, cell: Cell, mark: str) -> Iterator[Path]:
    """Where a fine-tuned cell leaves its state until it is done; that of other recipes goes."""
    folder = output / f".{cell.name}.{mark[:12]}.work"
    for other in output.glob(f".{cell.name}.????????????.work"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class _Workshop:
    """The dense model, opened once, and what its cells share."""

    def __init__(
        self,
        model: str,
        recipe: Recipe,
        corpus: Corpus,
        device: torch.device,
        report: Report,
        calibration: Corpus | None,
    ):
        self._name, self._recipe, self._corpus = model, recipe, corpus
        self._report, self._calibration = report, calibration
        self._options = recipe.prune.options(recipe.seed)
        lessons = recipe.corpus.lessons
        self._lessons = open_corpus(lessons) if lessons else None
        self._dense = open_checkpoint(model)
        for precision in recipe.export.precisions:
            graph_precisions(self._dense.family, precision)  # refuses those that it cannot be in
        self._dense.model.to(device)
        self._statistics: Statistics | None = None
        if calibration is not None:
            self._statistics = Statistics(self._dense, calibration, self._options, self._shared)

    def made(self, cell: Cell, mark: str) -> Iterator[str]:
        """Write the cell's bundle, and give what there is to say of it."""
        if cell.precision != "fp32":
            yield self.rounded(cell, mark)
            return
        with _work(Path(self._recipe.output), cell, mark) as work:
            checkpoint, pruned = self.pruned(cell, work)
            heard = self.heard(cell, checkpoint)
            self.export(cell, mark, checkpoint, pruned, heard)
        yield from _lines(pruned, heard)

    def pruned(self, cell: Cell, work: Path) -> tuple[Checkpoint, Pruned]:
        """A model of its own for every cell: some come out with fewer heads and neurons."""
        checkpoint = replace(self._dense, model=copy.deepcopy(self._dense.model))
        if cell.method not in METHODS:
            dense = checkpoint.model
            return checkpoint, Pruned(sparsity_since(size(dense), dense, cell.sparsity))
        pruned = prune(
            checkpoint,
            cell.method,
            cell.sparsity,
            self._calibration,
            options=used(cell.method, self._options),
            lessons=self._lessons,
            statistics=self._statistics,
            work=work if METHODS[cell.method].fine_tunes else None,
            report=lambda label, done, total: self._report(f"{cell.name}: {label}", done, total),
        )
        return checkpoint, pruned

    def heard(self, cell: Cell, checkpoint: Checkpoint) -> Score:
        """The score; Whisper is told the language to which the bundle will be held."""
        clips, language = self._corpus.clips, None
        if checkpoint.family == "whisper":
            language = speech_choice(checkpoint.model, None, None).get("language")
        heard = transcribe(
            checkpoint,
            (clip.samples() for clip in clips),
            language=language,
            progress=lambda done: self._report(f"{cell.name}: listening", done, len(clips)),
        )
        return self._scored(heard)

    def rounded(self, cell: Cell, mark: str) -> str:
        """A bundle of the cell's precision from the fp32 one, and what to say of it."""
        output, export = Path(self._recipe.output), self._recipe.export
        bundle = write_variant(
            Bundle.open(output / cell.in_fp32.name),
            output / cell.name,
            cast(Precision, cell.precision),
            name=cell.name,
            packed=export.packed,
            zstd=export.zstd,
            listen=lambda bundle: self._heard_from(bundle, cell),
            most_lost=export.most_lost,
            provenance={"fingerprint": mark, "recipe": self._recipe.model_dump()},
        )
        assert bundle.manifest.score is not None
        return f"WER {100 * bundle.manifest.score['wer']:.1f} %"

    def _heard_from(self, bundle: Bundle, cell: Cell) -> Score:
        """By onnxruntime, as on the device."""
        recognizer, heard = open_recognizer(bundle), []
        for done, clip in enumerate(self._corpus.clips, start=1):
            heard.append(recognizer.transcribe(clip.samples()).text)
            self._report(f"{cell.name}: listening", done, len(self._corpus.clips))
        return self._scored(heard)

    def _scored(self, heard: Sequence[str]) -> Score:
        normalizer = self._recipe.corpus.normalizer or self._corpus.normalizer
        return score([clip.text for clip in self._corpus.clips], heard, normalizer=normalizer)

    def export(
        self, cell: Cell, mark: str, checkpoint: Checkpoint, pruned: Pruned, heard: Score
    ) -> None:
        checkpoint.model.to("cpu")
        provenance: dict[str, Any] = {
            "fingerprint": mark,
            "recipe": self._recipe.model_dump(),
            "model": self._name,
            "model_from": model_from(self._name),
            "seed": self._recipe.seed,
            "versions": versions(),
            **learning(pruned),
        }
        write_bundle(
            checkpoint,
            Path(self._recipe.output) / cell.name,
            name=cell.name,
            method=cell.method,
            sparsity=pruned.sparsity,
            score=heard,
            provenance=provenance,
            parity_clips=[clip.samples() for clip in self._corpus.clips[:PARITY_CLIPS]],
            pytorch=self._recipe.export.pytorch,
            zstd=self._recipe.export.zstd,
        )

    def _shared(self, label: str, done: int, total: int) -> None:
        self._report(f"{Path(self._name).name}: {label}", done, total)
