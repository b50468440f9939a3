"""Bundles of the same model in other precisions, made from the fp32 bundle and held to its ear.

The new graphs are rounded from those that were proved against PyTorch. What rounding costs no
tolerance of logits can tell: the new bundle listens to speech, and one that loses too much is
refused.
"""

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from export.bundle import refuse_to_replace
from export.manifest import write_manifest
from export.parity import ExportError
from export.precision import Precision, graph_precisions, write_precision
from export.weightless import write_weightless
from runtime.bundle import Bundle
from runtime.packed.writer import Half
from runtime.whole_folder import written_whole
from speech.errors import BadInput
from speech.score import Score

#: How well a bundle hears, or None if nobody is to know.
Listen = Callable[[Bundle], Score | None]


#: What is stored as fp16. Where products are rounded further, that is positions, a few convolutions
#: and the scales of 4-bit blocks.
_HALVED: Mapping[Precision, Half] = {
    "fp32": "none",
    "fp16": "all",
    "int8": "matrices",
    "int4": "matrices",
    "mixed": "matrices",
}


def write_variant(
    source: Bundle,
    folder: Path,
    precision: Precision,
    *,
    name: str,
    packed: bool = True,
    zstd: int | None = None,
    listen: Listen = lambda _: None,
    most_lost: float | None = None,
    provenance: Mapping[str, object] | None = None,
) -> Bundle:
    """Write `source`, a bundle of fp32 graphs with their weights inside, in another precision.

    `packed` keeps zeros off the disk, and stores as fp16 what a precision below fp32 leaves in
    fp32; `zstd` compresses what is left at that level. fp16 alone is a way of packing.
    `most_lost` is by how much the word error rate may exceed the source's. The PyTorch checkpoint
    stays with the source.
    """
    manifest = source.manifest
    if manifest.precision != "fp32" or manifest.weights:
        raise BadInput(
            f"{source.folder} is packed or no longer in fp32: give the bundle as it was exported."
        )
    if precision == "fp16" and not packed:
        raise BadInput("fp16 is a way of packing weights: leave packed on, or take fp32.")
    wanted = graph_precisions(manifest.family, precision)
    folder = folder.absolute()
    refuse_to_replace(folder)
    with written_whole(folder, replace=True) as place:
        for file in source.device_files:
            if file.path not in manifest.graphs.values():
                _copy(source.folder / file.path, place / file.path)
        weights = {}
        for role, path in manifest.graphs.items():
            whole = place / path
            whole.parent.mkdir(parents=True, exist_ok=True)
            rounded = wanted[role]
            if rounded == "fp32":
                _copy(source.graph(role), whole)
            else:
                write_precision(source.graph(role), whole, rounded, embeds=not packed)
            if packed:
                weights[role] = str(Path(path).with_suffix(".weights"))
                _pack(whole, place / weights[role], half=_HALVED[precision], zstd=zstd)
        new = dataclasses.replace(
            manifest,
            name=name,
            precision=precision,
            weights=weights,
            score=None,
            provenance={**manifest.provenance, **(provenance or {}), "parent": source.sha256},
        )
        score = listen(write_manifest(new, place))
        if score:
            _refuse_deaf(score, source, most_lost, f"{name} ({precision})")
            write_manifest(dataclasses.replace(new, score=score), place)
    return Bundle.open(folder)


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def _pack(graph: Path, weights: Path, *, half: Half, zstd: int | None) -> None:
    whole = graph.with_suffix(".whole")
    graph.rename(whole)
    write_weightless(whole, graph, weights, half=half, zstd=zstd)
    whole.unlink()


def _refuse_deaf(score: Score, source: Bundle, most_lost: float | None, what: str) -> None:
    before = source.manifest.score
    if before is None or most_lost is None:
        return
    lost = score.wer - before.wer
    if lost > most_lost:
        raise ExportError(
            f"{what} has {100 * score.wer:.1f} % word errors, {100 * lost:.1f} points more than "
            f"in fp32, and {100 * most_lost:g} are allowed: take another precision, or allow more."
        )
