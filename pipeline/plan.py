"""The cells of a run, and the fingerprint by which a finished one is known again."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.recipe import Recipe
from prune.names import is_calibrated
from speech.assets import bundled_model
from speech.corpora import Corpus

#: Whoever changes what a bundle holds for the same recipe raises this.
FORMAT = 1

_LIBRARIES = ("secateur", "torch", "transformers", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Cell:
    """One variant: a model, a method, a sparsity."""

    model: str
    method: str
    sparsity: float

    @property
    def name(self) -> str:
        """The bundle's folder: demo-whisper-mp_global-50, or demo-whisper-dense."""
        model = Path(self.model).name
        if self.sparsity == 0:
            return f"{model}-dense"
        return f"{model}-{self.method}-{100 * self.sparsity:g}"


def cells(recipe: Recipe) -> list[Cell]:
    """Every variant once; at sparsity 0 all methods give the same dense model."""
    wanted: dict[str, Cell] = {}
    for model in recipe.models:
        for sparsity in recipe.prune.sparsities:
            for method in recipe.prune.methods:
                cell = Cell(model, "dense" if sparsity == 0 else method, sparsity)
                wanted.setdefault(cell.name, cell)
    return list(wanted.values())


def fingerprint(cell: Cell, recipe: Recipe, corpus: Corpus) -> str:
    """SHA-256 of everything that decides what the cell's bundle holds."""
    decisive: dict[str, Any] = {
        "format": FORMAT,
        "model": model_digest(cell.model),
        "cell": [cell.method, cell.sparsity],
        "seed": recipe.seed,
        "corpus": corpus_digest(corpus),
        "normalizer": recipe.corpus.normalizer or corpus.normalizer,
        "versions": versions(),
    }
    if is_calibrated(cell.method):
        decisive["calibration"] = [recipe.corpus.calibrate, recipe.corpus.calibration_clips]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def model_digest(name: str) -> str:
    """Of a folder its files' bytes; of a hub model its name."""
    folder = bundled_model(name) or Path(name)
    if not folder.is_dir():
        return name
    return _digest(
        part
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for part in (path.relative_to(folder).as_posix().encode(), path.read_bytes())
    )


def corpus_digest(corpus: Corpus) -> str:
    return _digest(f"{clip.name}\0{clip.text}".encode() for clip in corpus.clips)


def _digest(parts: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()
