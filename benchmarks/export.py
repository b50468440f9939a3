"""`python -m benchmarks.export whisper-tiny …`: what exporting real shapes takes and gives.

Random weights, one clip of 10 s (Whisper: in its window of 30 s, 32 tokens said of it). Each shape
is exported in a process of its own, whose peak memory includes PyTorch and the checkpoint; the
bundles are then measured as on a device, one thread, fp32 and int8 (Whisper: mixed) by turns.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.local import measure_here
from benchmarks.joined import joined
from benchmarks.shapes import SHAPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="+", choices=SHAPES)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--export-into", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.export_into:
        print(json.dumps(_exported(args.shapes[0], args.export_into)))
        return
    print("                export           logits  ---- fp32 ----------  ---- int8 or mixed --")
    print("                  s  peak MB    differ     MB      ms  peak MB     MB      ms  peak MB")
    for shape in args.shapes:
        with tempfile.TemporaryDirectory() as folder:
            print(_row(shape, Path(folder), args.samples), flush=True)


def _row(shape: str, place: Path, samples: int) -> str:
    command = [sys.executable, "-m", "benchmarks.export", shape, "--export-into", str(place)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    row = f"{shape:14}{found['seconds']:6.1f}{found['peak'] / 1e6:9.0f}{found['differ']:10.1e}"
    for folder in ("fp32", "small"):
        bundle = place / folder
        (measured,) = measure_here([bundle], joined(1).clips, warm_up=1, samples=samples)
        if measured.latency is None:
            raise SystemExit(f"{shape} could not be measured: {measured.error}")
        peak = measured.peak_bytes or 0
        size = sum(file.stat().st_size for file in (bundle / "onnx").iterdir())
        row += f"{size / 1e6:7.0f}{1000 * measured.latency.median:8.0f}{peak / 1e6:9.0f}"
    return row


def _exported(shape: str, place: Path) -> dict[str, Any]:
    """Both bundles in `place`, and what making the first one took."""
    from bench.agent.memory import read_memory
    from benchmarks.shapes import random_checkpoint
    from export.bundle import write_bundle
    from export.parity import check_parity
    from export.variant import write_variant
    from prune.structure.size import size, sparsity_since

    checkpoint = random_checkpoint(shape)
    heard = joined(1).clips[0].samples()
    began = time.perf_counter()
    source = write_bundle(
        checkpoint,
        place / "fp32",
        name=shape,
        method="dense",
        sparsity=sparsity_since(size(checkpoint.model), checkpoint.model, 0.0),
        score=None,
        provenance={},
        parity_clips=[heard],
    )
    seconds, peak = time.perf_counter() - began, read_memory().peak_bytes
    parity = check_parity(checkpoint, source, [heard])
    precision = "mixed" if checkpoint.family == "whisper" else "int8"
    write_variant(source, place / "small", precision, name=shape)
    return {"seconds": seconds, "peak": peak, "differ": parity.largest_difference}


if __name__ == "__main__":
    main()
