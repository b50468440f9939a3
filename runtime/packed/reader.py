"""Reading a packed file: one array at a time, every fault one sentence."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from runtime.packed.blobs import BlobBytes, Complaint, FrameBytes, StoredBytes
from runtime.packed.layout import FIRST, KEY, TYPES, Blob, Entry, blob_name, footprint, from_text
from runtime.packed.rows import Rows, StoredRows
from speech.errors import BadInput

#: More than any small computer has; who expects larger arrays says so.
LIMIT = 8 << 30

#: Elements decoded at a time, a multiple of 8. Larger blocks are no faster, and leave more memory
#: behind that the allocator does not give back.
_BLOCK = 1 << 16


class PackedFile:
    """A file of named arrays whose every size is checked; the values are not read yet.

    The file is mapped into memory only while an array is read, so that what was read of it does
    not add up beside the arrays.
    """

    def __init__(self, path: Path, entries: dict[str, Entry], *, plain: bool):
        self.path = path
        self._entries = entries
        self._numbers = {name: number for number, name in enumerate(entries)}
        self._plain = plain

    @classmethod
    def open(cls, path: Path, *, limit: int = LIMIT) -> Self:
        """Check the file; all its arrays together may take up to `limit` bytes in memory."""
        with _mapped(path) as file:
            metadata = file.metadata() or {}
            if KEY in metadata:
                packed = cls(path, _listed(metadata[KEY], path), plain=False)
                packed._check_blobs(file)
            elif metadata.keys() <= {"format"} and FIRST not in file.keys():  # noqa: SIM118
                packed = cls(path, _plain_entries(file, path), plain=True)
            else:
                raise BadInput(f"{path} has lost its list of arrays: copy or export it again.")
        packed._check_footprint(limit)
        return packed

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._entry(name).shape

    def dtype(self, name: str) -> np.dtype[Any]:
        return np.dtype(self._entry(name).dtype)

    def array(self, name: str) -> NDArray[Any]:
        """One array, dense and writable."""
        entry = self._entry(name)
        try:
            flat = np.empty(entry.size, entry.dtype)
        except MemoryError as error:
            raise self._wrong(name, "does not fit into this machine's memory") from error
        start = 0
        for block in self.blocks(name):
            flat[start : start + len(block)] = block
            start += len(block)
        return flat.reshape(entry.shape)

    def rows(self, name: str) -> Rows:
        """One array by its rows; what cannot be read in pieces is read now."""
        entry = self._entry(name)
        if entry.fill is not None or entry.zstd or not entry.shape:
            return self.array(name)
        blob = entry.name if self._plain else blob_name(self._numbers[name], "v")
        with _mapped(self.path) as file:
            return StoredRows(file.get_slice(blob), entry, plain=self._plain)

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """The elements of one array in their order, some at a time.

        That the last bytes are as they should be is known only when the last block was taken.
        """
        entry = self._entry(name)
        with _mapped(self.path) as file:
            decode = self._cut if self._plain else self._decoded
            for block in decode(file, entry):
                if entry.dtype == "bool" and block.view(np.uint8).max() > 1:
                    raise self._wrong(name, "holds a byte that is neither true nor false")
                yield block

    def items(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for name in self._entries:
            yield name, self.array(name)

    def _cut(self, file: Any, entry: Entry) -> Iterator[NDArray[Any]]:
        flat = file.get_tensor(entry.name).reshape(-1)
        for start in range(0, entry.size, _BLOCK):
            yield flat[start : start + _BLOCK]

    def _decoded(self, file: Any, entry: Entry) -> Iterator[NDArray[Any]]:
        blobs = {blob: self._blob(file, entry, blob) for blob in entry.blobs}
        found = 0
        for start in range(0, entry.size, _BLOCK):
            size = min(_BLOCK, entry.size - start)
            if entry.fill is None:
                yield _values(entry, size, blobs["v"])
            else:
                where = self._positions(entry.name, blobs["m"].take((size + 7) // 8), size)
                found += len(where)
                yield _scattered(entry, size, where, _values(entry, len(where), blobs["v"]))
        for blob in blobs.values():
            blob.finish()
        if entry.fill is not None and found != entry.count:
            raise self._wrong(entry.name, f"has {entry.count} values for {found} set bits")

    def _positions(self, name: str, mask: NDArray[np.uint8], size: int) -> NDArray[np.intp]:
        """Where the set bits of a mask for `size` elements are."""
        if size % 8 and mask[-1] >> (size % 8):
            raise self._wrong(name, "has a bitmask with bits beyond its last element")
        return np.flatnonzero(np.unpackbits(mask, count=size, bitorder="little").view(bool))

    def _blob(self, file: Any, entry: Entry, blob: Blob) -> BlobBytes:
        name = blob_name(self._numbers[entry.name], blob)
        wrong = self._complaint(entry.name, blob)
        if blob in entry.zstd:
            return FrameBytes(file.get_tensor(name), entry.blobs[blob], wrong)
        return StoredBytes(file.get_slice(name), entry.blobs[blob], wrong)

    def _check_blobs(self, file: Any) -> None:
        """The file holds exactly the blobs that the entries need, each in its size."""
        left = set(file.keys())
        for number, entry in enumerate(self._entries.values()):
            for blob, size in entry.blobs.items():
                wrong = self._complaint(entry.name, blob)
                name = blob_name(number, blob)
                if name not in left:
                    raise wrong("are missing")
                left.remove(name)
                stored = file.get_slice(name)
                shape = stored.get_shape()
                if stored.get_dtype() != "U8" or len(shape) != 1:
                    raise wrong("are not stored as bytes")
                if blob not in entry.zstd and shape[0] != size:
                    raise wrong(f"are {shape[0]} bytes instead of {size}")
        if left:
            raise BadInput(f"{self.path} holds {min(left)!r}, which no array of it asks for.")

    def _check_footprint(self, limit: int) -> None:
        total = 0
        for name, entry in self._entries.items():
            total += footprint(entry.shape, entry.dtype)
            if total > limit:
                raise self._wrong(name, f"brings the file above {limit} bytes in memory")

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise BadInput(f"{self.path} has no array {name!r}: export the bundle again.")
        return self._entries[name]

    def _complaint(self, name: str, blob: Blob) -> Complaint:
        part = "bitmask's bytes" if blob == "m" else "values"
        return lambda what: self._wrong(name, f"is damaged: its {part} {what}")

    def _wrong(self, name: str, what: str) -> BadInput:
        return BadInput(f"The array {name!r} of {self.path} {what}: copy or export it again.")


@contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    """The safetensors file; whatever safetensors says against it becomes one sentence."""
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except SafetensorError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(f"{path} is no sound safetensors file ({reason}): copy it again.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


def _listed(text: str, path: Path) -> dict[str, Entry]:
    return {entry.name: entry for entry in from_text(text, str(path))}


def _plain_entries(file: Any, path: Path) -> dict[str, Entry]:
    """What a safetensors file that was not packed holds, in alphabetical order."""
    entries = {}
    for name in sorted(file.keys()):
        stored = file.get_slice(name)
        if (dtype := TYPES.get(stored.get_dtype())) is None:
            raise BadInput(
                f"The array {name!r} of {path} is of {stored.get_dtype()}, which numpy cannot hold."
            )
        shape = tuple(stored.get_shape())
        entries[name] = Entry(dtype, dtype, shape, None, math.prod(shape), (), name)
    return entries


def _values(entry: Entry, count: int, blob: BlobBytes) -> NDArray[Any]:
    """The next values of an array, in the type that it has in memory."""
    stored = blob.take(count * np.dtype(entry.stored).itemsize).view(entry.stored)
    return stored.astype(entry.dtype, copy=False)


def _scattered(
    entry: Entry, size: int, where: NDArray[np.intp], values: NDArray[Any]
) -> NDArray[Any]:
    """`size` elements: `values` at the places `where`, else fill; moved as bits, to keep all."""
    bits = np.full(size, entry.fill, f"u{values.itemsize}")
    bits[where] = values.view(bits.dtype)
    return bits.view(entry.dtype)
