"""One way to open whatever a bundle holds and listen with it."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.ctc import CtcRecognizer
from runtime.settings import DEFAULT, Settings
from runtime.transcript import Transcript
from runtime.whisper import WhisperRecognizer


class Recognizer(Protocol):
    """Turns mono samples (at the rate in the bundle's features, full scale ±1) into text."""

    def transcribe(self, samples: NDArray[np.float32]) -> Transcript: ...

    def transcribe_blocks(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[Transcript]:
        """Of sound that comes block by block: a transcript of each piece that is transcribed."""


def open_recognizer(bundle: Bundle, settings: Settings = DEFAULT) -> Recognizer:
    """Load the graphs of a bundle, to be run as `settings` say."""
    if bundle.manifest.family == "whisper":
        return WhisperRecognizer(bundle, settings)
    return CtcRecognizer(bundle, settings)
