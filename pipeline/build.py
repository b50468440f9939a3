"""All variants of one model: pruned, listened to and exported, each from the dense weights."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from export.bundle import write_bundle
from pipeline.plan import Cell, versions
from pipeline.progress import Report
from pipeline.prune_record import learning
from pipeline.prune_summary import told
from pipeline.recipe import Recipe
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.language import speech_choice
from prune.listen import transcribe
from prune.methods import METHODS
from prune.oneshot import Statistics
from prune.options import Options
from prune.schedule import Pruned, prune
from prune.structure.size import size, sparsity_since
from speech.corpora import Corpus, open_corpus
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
) -> None:
    """Write a bundle for each of the cells, which come with their fingerprints."""
    workshop = _Workshop(model, recipe, corpus, device, report, _calibration(wanted, recipe))
    for cell, mark in wanted.items():
        with _work(Path(recipe.output), cell, mark) as work:
            checkpoint, pruned = workshop.pruned(cell, work)
            heard = workshop.heard(cell, checkpoint)
            workshop.export(cell, mark, checkpoint, pruned, heard)
        for line in _lines(cell, pruned, heard):
            say(line)


def _calibration(wanted: Mapping[Cell, str], recipe: Recipe) -> Corpus | None:
    if not any(cell.method in METHODS and METHODS[cell.method].listens for cell in wanted):
        return None
    clips = recipe.corpus.calibration_clips
    return open_corpus(recipe.corpus.calibrate, limit=clips, seed=recipe.seed)


def _lines(cell: Cell, pruned: Pruned, heard: Score) -> Iterator[str]:
    yield f"{cell.name}: {100 * pruned.sparsity.achieved:.1f} % zeros, WER {100 * heard.wer:.1f} %"
    for lesson in learning(pruned)["lessons"]:
        if lesson["stopped"].startswith("diverged"):
            yield f"{cell.name}: fine-tuning failed: {told(lesson)}"


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
        self._options = Options(
            seed=recipe.seed,
            step=recipe.prune.step,
            fine_tuning=recipe.prune.fine_tuning.plan(recipe.seed),
        )
        self._dense = open_checkpoint(model)
        self._dense.model.to(device)
        self._statistics: Statistics | None = None
        if calibration is not None:
            self._statistics = Statistics(self._dense, calibration, self._options, self._shared)

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
            options=self._options,
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
        normalizer = self._recipe.corpus.normalizer or self._corpus.normalizer
        return score([clip.text for clip in clips], heard, normalizer=normalizer)

    def export(
        self, cell: Cell, mark: str, checkpoint: Checkpoint, pruned: Pruned, heard: Score
    ) -> None:
        checkpoint.model.to("cpu")
        provenance: dict[str, Any] = {
            "fingerprint": mark,
            "recipe": self._recipe.model_dump(),
            "model": self._name,
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
        )

    def _shared(self, label: str, done: int, total: int) -> None:
        self._report(f"{Path(self._name).name}: {label}", done, total)
