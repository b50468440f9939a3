"""What a packed file says about its arrays: the text in its metadata, written and checked here."""

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from speech.errors import BadInput
from speech.records import Count, Length, Range, record_from, shortened

VERSION = 1

#: The one key of the file's metadata; safetensors would write several in any order.
KEY = "secateur_packed"

#: How safetensors calls the types that an array may have, and how numpy does.
TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "C64": "complex64",
}

#: The two kinds of blob: the bit of every element, and the values of those whose bit is set.
Blob = Literal["m", "v"]

#: numpy makes no array of more dimensions than 64, and nobody needs as many as this.
MOST_DIMENSIONS = 32


@dataclass(frozen=True)
class Storage:
    """What reading one array gives, and how it is stored."""

    dtype: str
    #: `dtype`, or float16 for an array of float32.
    stored: str
    shape: Annotated[tuple[Count, ...], Length(MOST_DIMENSIONS)]
    #: The byte that all bytes of an element without a value hold; null where every element has one.
    fill: Annotated[int, Range(0, 255)] | None
    #: Elements that have a value.
    count: Count
    #: The blobs that are zstd frames.
    zstd: tuple[Blob, ...]

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def blobs(self) -> dict[Blob, int]:
        """The blobs that the file must hold, and the bytes of each when it is no zstd frame."""
        values = self.count * np.dtype(self.stored).itemsize
        return {"v": values} if self.fill is None else {"m": (self.size + 7) // 8, "v": values}

    def check(self) -> None:
        """Whether its fields fit each other; raises ValueError."""
        if self.dtype not in TYPES.values():
            raise ValueError(f"'dtype' is {shortened(self.dtype)}, which is no known type")
        if self.stored != self.dtype and (self.stored, self.dtype) != ("float16", "float32"):
            raise ValueError(f"'stored' is {shortened(self.stored)} for an array of {self.dtype}")
        if self.fill and np.dtype(self.stored).itemsize > 1:
            raise ValueError(f"'fill' is {self.fill} for an array of {self.stored}")
        if self.count > self.size or (self.fill is None and self.count < self.size):
            raise ValueError(f"'count' is {self.count} for an array of {self.size} elements")
        if any(blob not in self.blobs for blob in self.zstd):
            raise ValueError("'zstd' names a part that the array does not have")


@dataclass(frozen=True)
class Entry(Storage):
    """One array of a packed file."""

    name: str

    def to_json(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(Storage)}


@dataclass(frozen=True)
class _Version:
    """What the list of every version begins with."""

    ignores_unknown_keys: ClassVar[bool] = True
    version: Count


@dataclass(frozen=True)
class _Listing:
    version: Count
    check: Count
    names: tuple[str, ...]
    arrays: tuple[Storage, ...]


#: The blob that every packed file begins with, and so no array of a plain one may be called so.
FIRST = "0v"


def blob_name(number: int, blob: Blob) -> str:
    """How the blob of the array with this number is called in the file."""
    return f"{number}{blob}"


def fill_of(bits: NDArray[Any]) -> int:
    """The byte that all bytes of most elements hold, in an array of unsigned numbers.

    Among bytes the commonest, for a pruned uint8 weight is its zero point; else zero.
    """
    return int(np.bincount(bits, minlength=1).argmax()) if bits.itemsize == 1 else 0


def footprint(shape: Sequence[int], dtype: str) -> int:
    """At most this many bytes in memory, counting an empty dimension as one.

    numpy computes with the other sizes of an empty array too, so they must not be huge either.
    """
    return math.prod(max(length, 1) for length in shape) * np.dtype(dtype).itemsize


def to_text(entries: Sequence[Entry]) -> str:
    """The text for the metadata. Its checksum makes a flipped bit in it no other valid text."""
    names = [entry.name for entry in entries]
    arrays = [entry.to_json() for entry in entries]
    check = _checksum(names, arrays)
    return _as_text({"version": VERSION, "check": check, "names": names, "arrays": arrays})


def from_text(text: str, where: str) -> list[Entry]:
    """The entries that a text holds; `where` says in every complaint which file it is of."""
    data = _parsed(text, where)
    try:
        version = record_from(_Version, data).version
        if version != VERSION:
            raise BadInput(
                f"{where} is a packed file of version {version} and this Secateur reads version "
                f"{VERSION}: export the bundle again, or update Secateur."
            )
        return _entries(record_from(_Listing, data), data)
    except ValueError as error:
        raise BadInput(f"{where}: {error}: export the bundle again, or update Secateur.") from error


def _entries(listing: _Listing, data: dict[str, Any]) -> list[Entry]:
    """Checked against each other; raises ValueError."""
    names = listing.names
    if listing.check != _checksum(data["names"], data["arrays"]):
        raise ValueError("'check' does not fit the list of arrays, which has changed")
    if len(names) != len(listing.arrays):
        raise ValueError(f"'names' lists {len(names)} names for {len(listing.arrays)} arrays")
    entries: dict[str, Entry] = {}
    for name, array in zip(names, listing.arrays, strict=True):
        if name in entries:
            raise ValueError(f"'names' lists {shortened(name)} twice")
        try:
            array.check()
        except ValueError as error:
            raise ValueError(f"array {shortened(name)}: {error}") from error
        entries[name] = Entry(**vars(array), name=name)
    return list(entries.values())


def _parsed(text: str, where: str) -> Any:
    try:
        data = json.loads(text)
        json.dumps(data)  # what is nested too deeply for this must not reach the checksum
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The list of arrays in {where} is no valid JSON: copy it again.") from error
    return data


def _checksum(names: Sequence[object], arrays: Sequence[object]) -> int:
    return zlib.crc32(_as_text([names, arrays]).encode())


def _as_text(data: object) -> str:
    """ASCII without spaces, the same for the same data."""
    return json.dumps(data, separators=(",", ":"))
