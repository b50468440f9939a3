"""Sound of any length, transcribed piece by piece: only one piece need be in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from runtime.transcript import Transcript, joined
from speech.pauses import pieces

Floats = NDArray[np.float32]


class PieceByPiece(ABC):
    """What all recognisers do with sound that is longer than their window."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Samples that a piece may have."""

    @abstractmethod
    def transcribe_piece(self, piece: Floats) -> Transcript: ...

    def transcribe(self, samples: Floats) -> Transcript:
        """Text of mono samples at the model's rate.

        Audio longer than the window is cut where it is quietest and transcribed piece by piece,
        each on its own; the texts are joined with a space.
        """
        return joined(self.transcribe_blocks([samples]))

    def transcribe_blocks(self, blocks: Iterable[Floats]) -> Iterator[Transcript]:
        """The same of samples that come block by block: a transcript of each piece, in order."""
        for piece in pieces(blocks, self.longest):
            yield self.transcribe_piece(piece)
