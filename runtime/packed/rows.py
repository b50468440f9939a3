"""One array of a packed file, read row by row where that reads no more of the file."""

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.packed.layout import Entry


class Rows(Protocol):
    """What a numpy array is, too."""

    def __getitem__(self, row: int, /) -> NDArray[Any]: ...


class StoredRows:
    """Of values that lie one after another; the file stays mapped, and only what is read of it
    takes memory."""

    def __init__(self, values: Any, entry: Entry, *, plain: bool):
        self._values = values
        self._entry = entry
        self._plain = plain

    def __getitem__(self, row: int, /) -> NDArray[Any]:
        if not 0 <= row < self._entry.shape[0]:
            raise IndexError(f"{self._entry.name!r} has no row {row}")
        if self._plain:
            found: NDArray[Any] = self._values[row]
            return found
        stored, shape = np.dtype(self._entry.stored), self._entry.shape[1:]
        size = math.prod(shape) * stored.itemsize
        row_bytes: NDArray[Any] = self._values[row * size : (row + 1) * size]
        return row_bytes.view(stored).astype(self._entry.dtype, copy=False).reshape(shape)
