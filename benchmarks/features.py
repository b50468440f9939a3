"""`python -m benchmarks.features`: our log-mel beside transformers', 30 s of noise, interleaved."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import numpy as np

from prune import cpu_torchaudio
from speech.features import LogMel

ROUNDS = 30


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    cpu_torchaudio.allow_import()
    import torch
    from transformers import WhisperFeatureExtractor

    torch.set_num_threads(1)
    clip = np.random.default_rng(0).standard_normal(30 * 16_000).astype(np.float32) / 10
    ours, theirs = LogMel(), WhisperFeatureExtractor()
    pairs = [
        (
            seconds(lambda: ours(clip)),
            seconds(lambda: theirs(clip, sampling_rate=16_000, return_tensors="np")),
        )
        for _ in range(ROUNDS + 3)
    ][3:]
    mine, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"log-mel of 30 s, one thread, median of {ROUNDS} interleaved rounds")
    print(f"  secateur      {1000 * mine:6.1f} ms")
    print(f"  transformers  {1000 * reference:6.1f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
