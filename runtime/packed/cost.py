"""What weights cost on disk in the packed form, and what the usual forms would have cost."""

import math
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.packed.layout import fill_of
from runtime.packed.reader import PackedFile
from runtime.packed.writer import write_packed


@dataclass(frozen=True)
class StorageCost:
    """Bytes; the headers of other formats, some 100 bytes an array, are left out."""

    on_disk: int
    #: Dense, as onnxruntime and PyTorch hold them.
    in_memory: int
    #: An int64 index per dimension, and the value.
    coo: int
    #: An int32 column, an int32 pointer per row (and one more), and the value.
    csr: int
    #: zlib at level 9, which is gzip's too, of the dense arrays one after another.
    zlib: int


def cost_of_file(path: Path) -> StorageCost:
    """Of an existing packed file. Compressing takes seconds per 10 MB in memory."""
    return _cost(PackedFile.open(path).items(), path.stat().st_size)


def cost_of_arrays(
    arrays: Mapping[str, NDArray[Any]], *, half: bool = False, zstd: int | None = None
) -> StorageCost:
    """Of arrays that are not written yet, if they were written with these options."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        packed = write_packed(Path(folder) / "packed", arrays, half=half, zstd=zstd)
    return _cost(arrays.items(), packed.size)


def _cost(arrays: Iterable[tuple[str, NDArray[Any]]], on_disk: int) -> StorageCost:
    in_memory = coo = csr = zipped = 0
    packer = zlib.compressobj(9)
    for _, array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1)
        bits = flat.view(f"u{flat.itemsize}")
        values = int(np.count_nonzero(bits != fill_of(bits)))
        in_memory += flat.nbytes
        coo += values * (8 * max(array.ndim, 1) + flat.itemsize)
        csr += values * (4 + flat.itemsize) + 4 * (_rows(array.shape) + 1)
        zipped += len(packer.compress(flat.view(np.uint8).data))
    zipped += len(packer.flush())
    return StorageCost(on_disk, in_memory, coo, csr, zipped)


def _rows(shape: tuple[int, ...]) -> int:
    """Of the matrix that an array is to CSR: its last dimension goes across."""
    return math.prod(shape[:-1])
