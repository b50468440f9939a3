"""The embeddings of tokens, read row by row from where the vocabulary's weights are stored."""

import numpy as np
from numpy.typing import NDArray

from runtime.packed.reader import PackedFile
from speech.errors import BadInput

Floats = NDArray[np.float32]

#: What exporters call the table, the codes and scales of a rounded one, and the decoder's input.
TABLE, CODES, SCALES, GIVEN = "table", "table.codes", "table.scales", "embedded"

#: The 4-bit code of zero.
_ZERO = 8


class Embedding:
    """Of a decoder that is given embeddings beside the numbers of its tokens."""

    def __init__(self, weights: PackedFile, width: int):
        shape, dtype = weights.shape(CODES), weights.dtype(CODES)
        if (len(shape), dtype.name) not in ((2, "int8"), (3, "uint8")):
            raise BadInput(
                f"The array {CODES!r} of {weights.path} is of {dtype} {list(shape)}, which is no "
                "table of embeddings: export the bundle again."
            )
        self._width = width
        self._codes, self._scales = weights.rows(CODES), weights.rows(SCALES)

    def columns(self, tokens: list[int]) -> Floats:
        """Of shape (width, tokens), as the decoder's product reads the same table."""
        rows = [self._row(token) for token in tokens]
        return np.ascontiguousarray(np.stack(rows, axis=1))

    def _row(self, token: int) -> Floats:
        codes, scales = self._codes[token], self._scales[token]
        if codes.ndim == 1:
            row: Floats = codes.astype(np.float32) * scales
            return row
        halves = np.stack([codes & 15, codes >> 4], axis=-1).astype(np.float32) - _ZERO
        blocks: Floats = halves.reshape(len(codes), -1) * scales[:, None]
        return blocks.reshape(-1)[: self._width]
