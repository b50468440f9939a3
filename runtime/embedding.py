"""The embeddings of tokens, read row by row from where the vocabulary's weights are stored."""

import numpy as np
from numpy.typing import NDArray

from runtime.packed.reader import PackedFile
from speech.errors import BadInput

Floats = NDArray[np.float32]

#: What exporters call the table, the codes and scales of a rounded one, and the decoder's input.
TABLE, CODES, SCALES, GIVEN = "table", "table.codes", "table.scales", "embedded"

#: By byte the two 4-bit codes that it holds, the low one first; that of zero is 8.
_BYTES = np.arange(256)
_PAIRS = np.stack([_BYTES & 15, _BYTES >> 4], axis=-1).astype(np.float32) - 8


class Embedding:
    """Of a decoder that is given embeddings beside the numbers of its tokens."""

    def __init__(self, weights: PackedFile, tokens: int, width: int):
        codes, scales = weights.shape(CODES), weights.shape(SCALES)
        kinds = weights.dtype(CODES).name, weights.dtype(SCALES).name
        in_8_bits = kinds == ("int8", "float32") and (codes, scales) == ((tokens, width), (tokens,))
        in_4_bits = (
            kinds == ("uint8", "float32")
            and len(codes) == 3
            and codes[0] == tokens
            and 2 * codes[1] * codes[2] >= width
            and scales == codes[:2]
        )
        if not in_8_bits and not in_4_bits:
            raise BadInput(
                f"The arrays {CODES!r} and {SCALES!r} of {weights.path}, {kinds[0]} {list(codes)} "
                f"and {kinds[1]} {list(scales)}, are no table of {tokens} embeddings of {width}: "
                "export the bundle again."
            )
        self._width = width
        self._codes, self._scales = weights.rows(CODES), weights.rows(SCALES)

    def columns(self, tokens: list[int]) -> Floats:
        """Of shape (width, tokens), as the decoder's product reads the same table."""
        rows = np.empty((len(tokens), self._width), np.float32)
        for row, token in zip(rows, tokens, strict=True):
            row[:] = self._row(token)
        return np.ascontiguousarray(rows.T)

    def _row(self, token: int) -> Floats:
        codes, scales = self._codes[token], self._scales[token]
        if codes.ndim == 1:
            row: Floats = codes.astype(np.float32) * scales
            return row
        blocks: Floats = _PAIRS[codes] * scales[:, None, None]
        return blocks.reshape(-1)[: self._width]
