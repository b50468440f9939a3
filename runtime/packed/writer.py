"""Packing arrays: each as small as it gets without losing a bit, no file above a plain one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy
import zstandard
from numpy.typing import NDArray

from runtime.packed.blobs import Bytes
from runtime.packed.layout import FIRST, KEY, TYPES, Blob, Entry, blob_name, fill_of, to_text
from speech.errors import BadInput

#: Arrays of which the values are rounded to float16; what has one dimension is small, and often a
#: scale of other values, which float16 may be too coarse for.
Half = Literal["none", "matrices", "all"]

#: What one blob more costs in the header: `"12m":{"dtype":"U8","shape":[…],"data_offsets":[…]},`.
_HEADER_OF_A_BLOB = 80

#: Up to this level a zstd frame needs 8 MiB to be read; a level above may need 128.
HIGHEST_LEVEL = 19


@dataclass(frozen=True)
class Packed:
    """What was written."""

    #: Of the file, in bytes.
    size: int
    #: Arrays that lie there as a bitmask and values.
    sparse: tuple[str, ...]
    #: Arrays of float32 that stayed so although float16 was asked for.
    full_precision: tuple[str, ...]


def write_packed(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    *,
    half: Half = "none",
    zstd: int | None = None,
) -> Packed:
    """Write `arrays`, in their order, to a file that `PackedFile` gives back bit for bit.

    `half` says what float32 is stored as float16, except in arrays with a finite value that float16
    cannot hold; reading gives float32 again. `zstd` (1 to 19) compresses what that makes smaller.
    """
    if zstd is not None and not 1 <= zstd <= HIGHEST_LEVEL:
        raise BadInput(f"{zstd} is no zstd level: give one from 1 to {HIGHEST_LEVEL}.")
    entries: list[Entry] = []
    blobs: dict[str, Bytes] = {}
    for number, (name, array) in enumerate(arrays.items()):
        entry, parts = _pack(name, array, half, zstd)
        entries.append(entry)
        blobs |= {blob_name(number, blob): part for blob, part in parts.items()}
    safetensors.numpy.save_file(blobs, path, metadata={KEY: to_text(entries)})
    if _replaced_by_plain(path, arrays):
        entries = []
    stored_half = {entry.name for entry in entries if entry.stored != entry.dtype}
    return Packed(
        size=path.stat().st_size,
        sparse=tuple(entry.name for entry in entries if entry.fill is not None),
        full_precision=tuple(
            name
            for name, array in arrays.items()
            if _is_halved(array, half) and name not in stored_half
        ),
    )


def _replaced_by_plain(path: Path, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a plain file of the same arrays is smaller; then it stands there instead."""
    size = path.stat().st_size
    if size <= sum(array.nbytes for array in arrays.values()) or not _can_be_plain(arrays):
        return False
    plain = safetensors.numpy.save({name: _in_order(array) for name, array in arrays.items()})
    if len(plain) < size:
        path.write_bytes(plain)
        return True
    return False


def _can_be_plain(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Some names need the packed form: what is no valid text, or has a meaning of its own."""
    return all(
        name not in ("__metadata__", FIRST) and not any("\ud800" <= c <= "\udfff" for c in name)
        for name in arrays
    )


def _pack(
    name: str, array: NDArray[Any], half: Half, zstd: int | None
) -> tuple[Entry, dict[Blob, Bytes]]:
    """An array in the smallest of its forms."""
    dtype = array.dtype.name
    if dtype not in TYPES.values():
        raise BadInput(f"The array {name!r} is of {dtype}, which a packed file cannot hold.")
    flat = _in_order(array).reshape(-1)
    if _is_halved(array, half):
        flat = _as_half(flat)
    bits = flat.view(f"u{flat.itemsize}")
    fill = fill_of(bits)
    has_value = bits != fill
    forms: list[tuple[int | None, dict[Blob, Bytes]]] = [
        (None, {"v": bits.view(np.uint8)}),
        (
            fill,
            {
                "m": np.packbits(has_value, bitorder="little"),
                "v": bits[has_value].view(np.uint8),
            },
        ),
    ]
    stored = [(fill, parts, _compress(parts, zstd)) for fill, parts in forms]
    best_fill, parts, small = min(stored, key=lambda form: _cost(form[2]))
    count = parts["v"].size // flat.itemsize
    zstd_of = tuple(blob for blob in parts if small[blob] is not parts[blob])
    entry = Entry(dtype, flat.dtype.name, array.shape, best_fill, count, zstd_of, name)
    return entry, small


def _in_order(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order and little endian, as it lies in the file."""
    ordered = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return ordered.reshape(array.shape)


def _is_halved(array: NDArray[Any], half: Half) -> bool:
    wanted = {"none": False, "matrices": array.ndim > 1, "all": True}
    return wanted[half] and array.dtype == np.float32


def _as_half(flat: NDArray[np.float32]) -> NDArray[Any]:
    """float16 where that keeps every finite value finite, else the array itself."""
    with np.errstate(over="ignore"):
        rounded = flat.astype(np.float16)
    return flat if np.any(np.isinf(rounded) & np.isfinite(flat)) else rounded


def _compress(parts: Mapping[Blob, Bytes], level: int | None) -> dict[Blob, Bytes]:
    """Each part as a zstd frame if that is smaller; the frame carries a checksum."""
    if level is None:
        return dict(parts)
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    small = {}
    for blob, part in parts.items():
        frame = np.frombuffer(compressor.compress(part.data), np.uint8)
        small[blob] = frame if len(frame) < len(part) else part
    return small


def _cost(parts: Mapping[Blob, Bytes]) -> int:
    return sum(len(part) + _HEADER_OF_A_BLOB for part in parts.values())
