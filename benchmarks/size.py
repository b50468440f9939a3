"""`python -m benchmarks.size`: how small bundles in the shape of whisper-tiny get.

Random weights, the smallest of the whole model's Linear layers set to zero; vocabulary projection,
embedding and positions are in every figure, the tokenizer (2.5 MB for whisper-tiny's) is not. MB
are millions of bytes. What is packed is held against a bit a weight and the values of those that
are not zero.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.joined import joined
from benchmarks.shapes import random_checkpoint
from export.bundle import write_bundle
from export.precision import Precision
from export.variant import write_variant
from prune.checkpoint import Checkpoint
from prune.schedule import prune
from runtime.bundle import Bundle
from runtime.packed.reader import PackedFile

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", "mixed")

#: Sparsity of the Linear weights, tokens of the vocabulary.
CUTS = ((0.0, 51865), (0.5, 51865), (0.7, 51865), (0.9, 51865), (0.5, 16384))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zstd", type=int, help="Also compress what that makes smaller, 1 to 19.")
    args = parser.parse_args()
    columns = "".join(f"{name:>9}" for name in PRECISIONS)
    print(f"{'zeros':>6} {'tokens':>7}{columns}   MB packed;  fp32 / ideal")
    for sparsity, vocabulary in CUTS:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = random_checkpoint("whisper-tiny", vocabulary=vocabulary, tokens=4)
            sizes, excess = _sizes(checkpoint, sparsity, Path(folder), args.zstd)
        row = "".join(f"{size / 1e6:9.1f}" for size in sizes)
        print(f"{sparsity:6.0%} {vocabulary:7}{row}                {excess:.4f}", flush=True)


def _sizes(
    checkpoint: Checkpoint, sparsity: float, place: Path, zstd: int | None
) -> tuple[list[int], float]:
    """Bytes by precision, and the fp32 file's over the ideal's."""
    pruned = prune(checkpoint, "mp_global", sparsity)
    source = write_bundle(
        checkpoint,
        place / "whole",
        name="whole",
        method="mp_global",
        sparsity=pruned.sparsity,
        score=None,
        provenance={},
        parity_clips=[joined(1).clips[0].samples()],
    )
    sizes, excess = [], 0.0
    for precision in PRECISIONS:
        bundle = write_variant(source, place / precision, precision, name=precision, zstd=zstd)
        paths = [*bundle.manifest.graphs.values(), *bundle.manifest.weights.values()]
        sizes.append(sum((bundle.folder / path).stat().st_size for path in paths))
        if precision == "fp32":
            excess = _excess(bundle)
    return sizes, excess


def _excess(bundle: Bundle) -> float:
    files = [bundle.folder / path for path in bundle.manifest.weights.values()]
    ideal = sum(bits for file in files for bits in _ideal_bits(file)) / 8
    return sum(file.stat().st_size for file in files) / ideal


def _ideal_bits(file: Path) -> Iterator[int]:
    """Of each array the smaller of a bit an element with the values apart, and the values alone."""
    for _, array in PackedFile.open(file).items():  # noqa: PERF102
        value = 8 * array.itemsize
        yield min(array.size + value * int(np.count_nonzero(array)), value * array.size)


if __name__ == "__main__":
    main()
