"""What weights cost in the packed form, and what the usual forms would have cost."""

import math
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.packed.layout import fill_of
from runtime.packed.writer import write_packed


@dataclass(frozen=True)
class StorageCost:
    """Bytes of weights; the headers of other formats, some 100 bytes an array, are left out."""

    #: Dense, as onnxruntime and PyTorch hold them.
    in_memory: int
    #: As a packed file.
    packed: int
    #: An int64 index per dimension, and the value.
    coo: int
    #: An int32 column, an int32 pointer per row (and one more), and the value.
    csr: int
    #: Level 9, of the dense arrays one after another.
    gzip: int


def packed_size(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Bytes of the packed file of these arrays, without a bit lost and without zstd."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        return write_packed(Path(folder) / "packed", arrays).size


def storage_cost(
    arrays: Iterable[NDArray[Any]],
    *,
    packed: int,
    told: Callable[[int], None] = lambda _: None,
) -> StorageCost:
    """Of arrays that take `packed` bytes in the packed form.

    Compressing takes seconds per 10 MB; `told` hears the bytes of each array as it is done.
    """
    in_memory = coo = csr = zipped = 0
    packer = zlib.compressobj(9)
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1)
        bits = flat.view(f"u{flat.itemsize}")
        values = int(np.count_nonzero(bits != fill_of(bits)))
        in_memory += flat.nbytes
        coo += values * (8 * max(array.ndim, 1) + flat.itemsize)
        csr += values * (4 + flat.itemsize) + 4 * (_rows(array.shape) + 1)
        zipped += len(packer.compress(flat.view(np.uint8).data))
        told(flat.nbytes)
    zipped += len(packer.flush())
    return StorageCost(in_memory, packed, coo, csr, zipped)


def _rows(shape: tuple[int, ...]) -> int:
    """Of the matrix that an array is to CSR: its last dimension goes across."""
    return math.prod(shape[:-1])
