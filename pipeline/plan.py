"""The cells of a run, and the fingerprint by which a finished one is known again."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.model_name import ModelName
from pipeline.recipe.schema import Recipe
from prune.methods import METHODS
from prune.option_use import settled_sparsity, used
from prune.options import Options
from runtime.bundle import MANIFEST, Bundle
from speech.clip_set import clips_digest
from speech.corpora import Corpus
from speech.errors import BadInput
from speech.readable import refuse_unreachable

#: Whoever changes what a bundle holds for the same recipe raises this.
FORMAT = 12

#: Cuts nothing and learns as long as the others do: what fine-tuned cells are held against.
CONTROL = "dense_finetune"

_LIBRARIES = ("secateur", "torch", "transformers", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Cell:
    """One variant: a model, a method, a sparsity, a seed, a precision."""

    model: str
    method: str
    sparsity: float
    precision: str = "fp32"
    #: In place of a sparsity: heads50-ffn25.
    shares: str = ""
    seed: int = 0
    #: Whether the seed is not the recipe's first, and so is part of the name.
    reseeded: bool = False
    #: Sparsities through which a gradual method comes to its deepest, this one among them.
    path: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The bundle's folder: demo-whisper-mp_global-50, demo-whisper-dense-int8."""
        parts = [ModelName.of(self.model).short, self.method]
        parts += [f"{100 * self.sparsity:g}"] if self.sparsity else []
        parts += [self.shares] if self.shares else []
        parts += [f"seed{self.seed}"] if self.reseeded else []
        parts += [self.precision] if self.precision != "fp32" else []
        return "-".join(parts)

    @property
    def in_fp32(self) -> "Cell":
        """The one that this one is made from."""
        return replace(self, precision="fp32")


def cells(recipe: Recipe) -> list[Cell]:
    """Every variant once; at sparsity 0 all methods give the same dense model.

    Where a method fine-tunes there is the dense model too, fine-tuned for as long. A method that
    is told in shares or by a pattern how much to cut has one variant, whatever the sparsities. One
    that draws nothing by chance has one variant, whatever the seeds.
    """
    plain = [cell for model in recipe.models for cell in _plain(model, recipe)]
    seeded = [
        replace(cell, seed=seed, reseeded=seed != recipe.seed)
        for cell in plain
        for seed in (recipe.seeds if draws(cell.method) else recipe.seeds[:1])
    ]
    others = [name for name in recipe.export.precisions if name != "fp32"]
    all_of_them = (replace(cell, precision=p) for cell in seeded for p in ("fp32", *others))
    return list({cell.name: cell for cell in all_of_them}.values())


def draws(method: str) -> bool:
    """Whether anything in it depends on the seed: the clips that are heard, or a lesson."""
    return method in METHODS and METHODS[method].listens


def _plain(model: str, recipe: Recipe) -> Iterator[Cell]:
    """In fp32 and of one seed."""
    options, sparsities = recipe.prune.options(recipe.seed), recipe.prune.sparsities
    cutting = [method for method in recipe.prune.methods if method != CONTROL]
    learning = [method for method in cutting if METHODS[method].fine_tunes]
    depths = [*filter(None, sparsities), None]
    learns = any(True for s in depths for _ in _cut(model, learning, s, options))
    if 0 in sparsities:
        yield Cell(model, "dense", 0)
    if learns or CONTROL in recipe.prune.methods:
        yield Cell(model, CONTROL, 0)
    path = tuple(sorted(filter(None, sparsities)))
    for depth in depths:
        for cell in _cut(model, cutting, depth, options):
            yield replace(cell, path=path) if METHODS[cell.method].passes else cell


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


def fingerprints(recipe: Recipe, corpus: Corpus) -> dict[Cell, str]:
    """By cell the SHA-256 of everything that decides what its bundle holds."""
    models = {model: model_digest(model) for model in recipe.models}
    scored = {
        "format": FORMAT,
        "corpus": corpus_digest(corpus),
        "normalizer": recipe.corpus.normalizer or corpus.normalizer,
        "versions": versions(),
    }
    return {
        cell: digest_of(scored | {"model": models[cell.model]} | _decisive(cell, recipe))
        for cell in cells(recipe)
    }


def is_finished(folder: Path, mark: str) -> bool:
    """Whether the bundle of that fingerprint is there."""
    refuse_unreachable(folder / MANIFEST)  # or it would be made anew, and could not be put there
    if not (folder / MANIFEST).is_file():
        return False
    try:
        return bool(Bundle.open(folder).manifest.provenance.get("fingerprint") == mark)
    except BadInput:
        return False


def digest_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _decisive(cell: Cell, recipe: Recipe) -> dict[str, Any]:
    """What is the cell's own."""
    decisive: dict[str, Any] = {
        "cell": [cell.method, cell.sparsity, cell.path],
        "seed": cell.seed,
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
        decisive["calibration"] = recipe.corpus.calibration
    if method and method.fine_tunes:
        decisive["lessons"] = recipe.corpus.learnt
    if method:
        decisive["options"] = asdict(used(cell.method, recipe.prune.options(cell.seed)))
    return decisive


def versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def model_digest(text: str) -> str:
    """Of a folder its files' bytes; of a hub model its name and revision."""
    name = ModelName.of(text)
    if name.folder is None:
        return text
    return _digest(
        part
        for path in sorted(name.folder.rglob("*"))
        if path.is_file()
        for part in (path.relative_to(name.folder).as_posix().encode(), path.read_bytes())
    )


def corpus_digest(corpus: Corpus) -> str:
    return clips_digest((clip.name, clip.text) for clip in corpus.clips)


def _digest(parts: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()
