"""The cells of a run, and the fingerprint by which a finished one is known again."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pipeline.recipe import Recipe
from prune.methods import METHODS
from prune.option_use import settled_sparsity, used
from prune.options import Options
from speech.assets import bundled_model
from speech.corpora import Corpus

#: Whoever changes what a bundle holds for the same recipe raises this.
FORMAT = 6

#: Cuts nothing and learns as long as the others do: what fine-tuned cells are held against.
CONTROL = "dense_finetune"

_LIBRARIES = ("secateur", "torch", "transformers", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Cell:
    """One variant: a model, a method, a sparsity, a precision."""

    model: str
    method: str
    sparsity: float
    precision: str = "fp32"
    #: In place of a sparsity: heads50-ffn25.
    shares: str = ""

    @property
    def name(self) -> str:
        """The bundle's folder: demo-whisper-mp_global-50, demo-whisper-dense-int8."""
        parts = [Path(self.model).name, self.method]
        parts += [f"{100 * self.sparsity:g}"] if self.sparsity else []
        parts += [self.shares] if self.shares else []
        parts += [self.precision] if self.precision != "fp32" else []
        return "-".join(parts)

    @property
    def in_fp32(self) -> "Cell":
        """The one that this one is made from."""
        return replace(self, precision="fp32")


def cells(recipe: Recipe) -> list[Cell]:
    """Every variant once; at sparsity 0 all methods give the same dense model.

    Where a method fine-tunes there is the dense model too, fine-tuned for as long. A method that
    is told in shares or by a pattern how much to cut has one variant, whatever the sparsities.
    """
    options = recipe.prune.options(recipe.seed)
    cutting = [method for method in recipe.prune.methods if method != CONTROL]
    sparsities = recipe.prune.sparsities
    learning = [method for method in cutting if METHODS[method].fine_tunes]
    depths = [*filter(None, sparsities), None]
    learns = any(True for s in depths for _ in _cut("", learning, s, options))
    has_control = learns or CONTROL in recipe.prune.methods
    others = [name for name in recipe.export.precisions if name != "fp32"]
    wanted: dict[str, Cell] = {}
    for model in recipe.models:
        mine = [Cell(model, "dense", 0)] if 0 in sparsities else []
        mine += [Cell(model, CONTROL, 0)] if has_control else []
        mine += [cell for s in sparsities if s for cell in _cut(model, cutting, s, options)]
        mine += list(_cut(model, cutting, None, options))
        for cell in (replace(cell, precision=p) for cell in mine for p in ("fp32", *others)):
            wanted.setdefault(cell.name, cell)
    return list(wanted.values())


def _cut(
    model: str, methods: Iterable[str], sparsity: float | None, options: Options
) -> Iterator[Cell]:
    """Those methods' variants that are cut so far, or, for None, as far as the options say."""
    for method in methods:
        mine = used(method, options)
        implied = settled_sparsity(method, None, mine)
        if implied is None and sparsity is not None:
            yield Cell(model, method, sparsity)
        if implied is not None and sparsity is None:
            yield Cell(model, method, implied, shares=_shares(mine))


def _shares(options: Options) -> str:
    parts = {"blocks": options.blocks, "heads": options.heads, "ffn": options.ffn}
    return "-".join(f"{name}{100 * part:g}" for name, part in parts.items() if part is not None)


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
    how = recipe.export
    if cell.precision != "fp32":
        decisive["precision"] = [cell.precision, how.packed, how.most_lost]
        if how.packed and how.zstd:
            decisive["zstd"] = how.zstd
    if how.pytorch != "plain":
        decisive["pytorch"] = [how.pytorch, how.zstd if how.pytorch == "packed" else None]
    method = METHODS.get(cell.method)
    if method and method.listens:
        decisive["calibration"] = [recipe.corpus.calibrate, recipe.corpus.calibration_clips]
    if method and method.fine_tunes:
        decisive["lessons"] = recipe.corpus.lessons
    if method:
        decisive["options"] = asdict(used(cell.method, recipe.prune.options(recipe.seed)))
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def model_from(name: str) -> Literal["folder", "bundled", "hub"]:
    """Where the name leads: to a model that comes with Secateur, a folder or the hub."""
    if Path(name).expanduser().is_dir():
        return "folder"
    return "bundled" if bundled_model(name) else "hub"


def model_digest(name: str) -> str:
    """Of a folder its files' bytes; of a hub model its name."""
    folder = bundled_model(name) or Path(name).expanduser()
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
