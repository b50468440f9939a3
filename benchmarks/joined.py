"""Clips as long as real speech: demo clips one after another."""

import numpy as np

from speech.audio import RATE
from speech.corpora import open_corpus
from speech.corpora.corpus import Clip, Corpus

SECONDS = 10


def joined(count: int) -> Corpus:
    """So many clips of 10 s."""
    clips = open_corpus("demo:calibration").clips

    def clip(index: int) -> Clip:
        parts = [clips[(4 * index + i) % len(clips)] for i in range(4)]
        samples = np.concatenate([part.samples() for part in parts])[: SECONDS * RATE]
        return Clip(f"joined {index}", " ".join(part.text for part in parts[:3]), lambda: samples)

    return Corpus("joined", tuple(map(clip, range(count))))
