"""All variants of one model: pruned, listened to and exported, each from the dense weights."""

import copy
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from export.bundle import write_bundle
from export.precision import Precision, graph_precisions
from export.variant import write_variant
from pipeline.events import Built, Hear, Progress, Refused, Warned
from pipeline.kept_statistics import KeptStatistics
from pipeline.listening import as_bundled
from pipeline.model_name import ModelName
from pipeline.plan import Cell, corpus_digest, digest_of, model_digest, versions
from pipeline.prune_record import learning
from pipeline.prune_summary import told
from pipeline.recipe import Recipe
from pipeline.spoken import heard_by, learnt_by, scored_on
from pipeline.tasks import STATISTICS, Task
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.methods import METHODS
from prune.option_use import used
from prune.reach import OutOfReach
from prune.schedule import Pruned, prune
from prune.structure.size import size, sparsity_since
from runtime.bundle import Bundle
from runtime.recognizer import open_recognizer
from runtime.whole_folder import DiskFull
from speech.corpora import Corpus
from speech.errors import BadInput, InputWarning
from speech.scoring import Score, score_on

#: Clips on which PyTorch and onnxruntime must agree before a bundle is finished.
PARITY_CLIPS = 8


@dataclass(frozen=True)
class Ears:
    """What methods hear that draw by one seed."""

    seed: int
    calibration: Corpus
    lessons: Corpus | None
    statistics: KeptStatistics


class Workshop:
    """The dense model, opened once, and what its cells share."""

    def __init__(
        self,
        model: str,
        recipe: Recipe,
        device: torch.device,
        hear: Hear,
        written: Recipe | None = None,
        gpus: int = 1,
    ):
        """`written` is what bundles say of where they come from, if other folders stand for it."""
        self._gpus = gpus
        self.model, self.recipe, self.hear = model, recipe, hear
        self._written = written or recipe
        self._output = Path(recipe.output)
        self._corpus = scored_on(recipe)
        name = ModelName.of(model)
        self._report(name.short, "opening", 0, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # `run` reports them, once
            self._dense = open_checkpoint(name.name, revision=name.revision)
        for precision in recipe.export.precisions:
            graph_precisions(self._dense.family, precision)  # refuses those that it cannot be in
        self._dense.model.to(device)
        self._ears: Ears | None = None

    def work(self, task: Task) -> None:
        """A bundle for each of the task's cells; those of which there can be none are told."""
        refused = self._in_passing(task) if task.passes else dict[Cell, BadInput]()
        for cell, mark in task.to_do:
            if cell in refused:
                continue
            try:
                if parent := refused.get(cell.in_fp32):
                    raise type(parent)("there is no fp32 bundle to make it from.")
                if cell.precision != "fp32":
                    self._rounded(cell, mark)
                elif not cell.path:
                    self._whole(cell, mark)
            except DiskFull:
                raise
            except BadInput as error:
                refused[cell] = error
                self._refuse(cell, error)

    def _refuse(self, cell: Cell, error: BadInput) -> None:
        self.hear(Refused(cell.name, str(error), isinstance(error, OutOfReach)))

    def _whole(self, cell: Cell, mark: str) -> None:
        with _work(self._output, cell.name, mark) as work:
            checkpoint, pruned = self.pruned(cell, work)
            self._bundle(cell, mark, checkpoint, pruned)

    def _in_passing(self, task: Task) -> dict[Cell, BadInput]:
        """The fp32 bundles of a gradual method, as it comes past; gives why there are not all."""
        left = {
            cell.sparsity: (cell, mark) for cell, mark in task.to_do if cell.precision == "fp32"
        }
        try:
            self._pass(task, left)
            if left:  # what was interrupted had come past them: once more, from the dense model
                self._pass(task, left)
        except DiskFull:
            raise
        except BadInput as error:
            for cell, _ in left.values():
                self._refuse(cell, error)
            return {cell: error for cell, _ in left.values()}
        return {}

    def _pass(self, task: Task, left: dict[float, tuple[Cell, str]]) -> None:
        """Takes those out of `left` that it makes; goes on where an interrupted one has ended."""
        first = task.cells[0]
        deepest, checkpoint = replace(first, sparsity=first.path[-1]), self._copy()

        def reached(sparsity: float, pruned: Pruned) -> None:
            if sparsity in left:
                cell, mark = left[sparsity]
                fresh = replace(checkpoint, model=copy.deepcopy(checkpoint.model))
                self._bundle(cell, mark, fresh, pruned)
                del left[sparsity]
            if not left:
                raise _EnoughError

        with _work(self._output, deepest.name, task.mark) as work, suppress(_EnoughError):
            if left:
                self._prune(deepest, checkpoint, work, after=reached)

    def pruned(self, cell: Cell, work: Path) -> tuple[Checkpoint, Pruned]:
        """A model of its own for every cell: some come out with fewer heads and neurons."""
        checkpoint = self._copy()
        if cell.method not in METHODS:
            dense = checkpoint.model
            return checkpoint, Pruned(sparsity_since(size(dense), dense, cell.sparsity))
        return checkpoint, self._prune(cell, checkpoint, work)

    def _copy(self) -> Checkpoint:
        return replace(self._dense, model=copy.deepcopy(self._dense.model))

    def _prune(self, cell: Cell, checkpoint: Checkpoint, work: Path, **more: Any) -> Pruned:
        method = METHODS[cell.method]
        ears = self._heard_with(cell.seed) if method.listens else None
        return prune(
            checkpoint,
            cell.method,
            cell.sparsity,
            ears.calibration if ears else None,
            options=used(cell.method, self.recipe.prune.options(cell.seed)),
            lessons=ears.lessons if ears else None,
            statistics=ears.statistics if ears else None,
            work=work if method.fine_tunes else None,
            through=cell.path,
            processes=self._gpus,
            report=lambda label, done, total: self._report(cell.name, label, done, total),
            **more,
        )

    def _heard_with(self, seed: int) -> Ears:
        """What cells of one seed share; of the last seed that was asked for."""
        if self._ears is None or self._ears.seed != seed:
            self._ears = None  # what another seed has heard may fill the memory
            self._ears = self._ears_of(seed)
        return self._ears

    def _ears_of(self, seed: int) -> Ears:
        options, speech = self.recipe.prune.options(seed), heard_by(self.recipe, seed)
        shared = {
            "model": model_digest(self.model),
            "speech": corpus_digest(speech),
            "options": [options.precision, options.tied, options.hutchinson, seed],
            "device": str(next(self._dense.model.parameters()).device.type),
            "versions": versions(),
        }
        folder = self._output / STATISTICS / digest_of(shared)[:16]
        short = ModelName.of(self.model).short
        statistics = KeptStatistics(
            self._dense,
            speech,
            options,
            folder,
            lambda label, done, total: self._report(short, label, done, total),
        )
        return Ears(seed, speech, learnt_by(self.recipe, seed), statistics)

    def _bundle(self, cell: Cell, mark: str, checkpoint: Checkpoint, pruned: Pruned) -> None:
        heard = as_bundled(
            checkpoint,
            self._corpus,
            normalizer=self.recipe.corpus.normalizer,
            progress=lambda done, total: self._report(cell.name, "transcribing", done, total),
        )
        self._export(cell, mark, checkpoint, pruned, heard)
        zeros = f"{100 * pruned.sparsity.achieved:.1f} % zeros"
        self.hear(Built(cell.name, f"{zeros}, WER {100 * heard.wer:.1f} %"))
        for lesson in learning(pruned)["lessons"]:
            if lesson["stopped"].startswith("diverged"):
                self.hear(Warned(cell.name, f"fine-tuning failed: {told(lesson)}"))

    def _rounded(self, cell: Cell, mark: str) -> None:
        """A bundle of the cell's precision from the fp32 one."""
        export = self.recipe.export
        self._report(cell.name, f"writing {cell.precision}", 0, 1)
        bundle = write_variant(
            self._sound(cell.in_fp32, cell),
            self._output / cell.name,
            cast(Precision, cell.precision),
            name=cell.name,
            packed=export.packed,
            zstd=export.zstd,
            listen=lambda bundle: self._heard_from(bundle, cell),
            most_lost=export.most_lost,
            provenance={"fingerprint": mark, "recipe": self._written.model_dump()},
        )
        assert bundle.manifest.score is not None
        self.hear(Built(cell.name, f"WER {100 * bundle.manifest.score.wer:.1f} %"))

    def _sound(self, source: Cell, cell: Cell) -> Bundle:
        """The bundle that another is made from: damage in it would be handed on, and unseen."""
        try:
            return Bundle.open(self._output / source.name, check_hashes=True)
        except BadInput as error:
            what, _, _ = str(error).rpartition(": ")
            raise BadInput(f"{what}: --only '{cell.name}' --force makes both anew.") from error

    def _heard_from(self, bundle: Bundle, cell: Cell) -> Score:
        """By onnxruntime, as on the device."""
        recognizer, heard = open_recognizer(bundle), []
        self._report(cell.name, "transcribing", 0, len(self._corpus.clips))
        for done, clip in enumerate(self._corpus.clips, start=1):
            heard.append(recognizer.transcribe(clip.samples()).text)
            self._report(cell.name, "transcribing", done, len(self._corpus.clips))
        return score_on(self._corpus, heard, self.recipe.corpus.normalizer)

    def _export(
        self, cell: Cell, mark: str, checkpoint: Checkpoint, pruned: Pruned, heard: Score
    ) -> None:
        checkpoint.model.to("cpu")
        self._report(cell.name, "exporting", 0, 1)
        name = ModelName.of(self.model)
        written = self._written.models[self.recipe.models.index(self.model)]
        provenance: dict[str, Any] = {
            "fingerprint": mark,
            "recipe": self._written.model_dump(),
            "model": name.name if name.place == "hub" else written,
            "model_from": name.place,
            "seed": cell.seed,
            "versions": versions(),
            **({"revision": name.revision} if name.revision else {}),
            **({"gpus": self._gpus} if self._gpus > 1 and pruned.lessons else {}),
            **learning(pruned),
        }
        write_bundle(
            checkpoint,
            self._output / cell.name,
            name=cell.name,
            method=cell.method,
            sparsity=pruned.sparsity,
            score=heard,
            provenance=provenance,
            parity_clips=[clip.samples() for clip in self._corpus.clips[:PARITY_CLIPS]],
            pytorch=self.recipe.export.pytorch,
            zstd=self.recipe.export.zstd,
        )

    def _report(self, name: str, label: str, done: int, total: int) -> None:
        self.hear(Progress(f"{name}: {label}", done, total))


class _EnoughError(Exception):
    """A gradual method has come past all that is wanted of it."""


@contextmanager
def _work(output: Path, name: str, mark: str) -> Iterator[Path]:
    """Where a fine-tuned cell leaves its state until it is done; that of other recipes goes."""
    folder = output / f".{name}.{mark[:12]}.work"
    for other in output.glob(f".{name}.????????????.work"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
