"""`python -m benchmarks.runtime_models FOLDER`: what `benchmarks.runtime` lets everyone run.

The checkpoint as transformers 4 reads it, for the peers to convert, and our bundles of it, whole
and with half of its heads and neurons. In a process of its own, because nothing here is measured.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.published_whisper import halve, published_whisper
from benchmarks.runtime import PRECISIONS, SECONDS, TOKENS
from export.bundle import write_bundle
from export.optimum.files import write_settings
from export.variant import write_variant
from prune.checkpoint import Checkpoint
from prune.structure.size import size, sparsity_since
from speech.audio import RATE


def main(place: Path) -> None:
    checkpoint = published_whisper(TOKENS)
    (place / "checkpoint").mkdir(parents=True, exist_ok=True)
    checkpoint.model.save_pretrained(place / "checkpoint")
    write_settings(checkpoint, place / "checkpoint")
    _write_bundles(checkpoint, place, "dense")
    _write_bundles(halve(checkpoint), place, "half")


def _write_bundles(checkpoint: Checkpoint, place: Path, name: str) -> None:
    heard = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * RATE, np.float32)
    source = write_bundle(
        checkpoint,
        place / f"{name}-fp32",
        name=name,
        method="dense",
        sparsity=sparsity_since(size(checkpoint.model), checkpoint.model, 0.0),
        score=None,
        provenance={},
        parity_clips=[heard],
        pytorch="none",
    )
    for precision in PRECISIONS:
        if precision != "fp32":
            folder = place / f"{name}-{precision}"
            write_variant(source, folder, precision, name=name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
