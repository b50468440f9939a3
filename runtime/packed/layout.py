"""What a packed file says about its arrays: the text in its metadata, written and checked here."""

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from runtime.json_fields import JsonFields
from speech.errors import BadInput

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
class Entry:
    """One array: what reading gives, and how it is stored."""

    name: str
    dtype: str
    #: `dtype`, or float16 for an array of float32.
    stored: str
    shape: tuple[int, ...]
    #: The byte that all bytes of an element without a value hold; null where every element has one.
    fill: int | None
    #: Elements that have a value.
    count: int
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

    def to_json(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "stored": self.stored,
            "shape": self.shape,
            "fill": self.fill,
            "count": self.count,
            "zstd": self.zstd,
        }

    @classmethod
    def from_json(cls, name: str, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            entry = cls(
                name=name,
                dtype=fields.text("dtype"),
                stored=fields.text("stored"),
                shape=_shape(fields),
                fill=None if fields.is_null("fill") else fields.whole("fill"),
                count=fields.whole("count"),
                zstd=_compressed(fields),
            )
            entry._check(fields)
            return entry

    def _check(self, fields: JsonFields) -> None:
        if self.dtype not in TYPES.values():
            raise fields.wrong("dtype", f"is {self.dtype!r}, which is no known type")
        if self.stored != self.dtype and (self.stored, self.dtype) != ("float16", "float32"):
            raise fields.wrong("stored", f"is {self.stored!r} for an array of {self.dtype}")
        if self.fill and (self.fill > 255 or np.dtype(self.stored).itemsize > 1):
            raise fields.wrong("fill", f"is {self.fill} for an array of {self.stored}")
        if self.count > self.size or (self.fill is None and self.count < self.size):
            raise fields.wrong("count", f"is {self.count} for an array of {self.size} elements")
        if any(blob not in self.blobs for blob in self.zstd):
            raise fields.wrong("zstd", "names a part that the array does not have")


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
    with JsonFields(_parsed(text, where), where) as fields:
        version = fields.whole("version")
        if version != VERSION:
            raise BadInput(
                f"{where} is a packed file of version {version} and this Secateur reads version "
                f"{VERSION}: export the bundle again, or update Secateur."
            )
        names, arrays = fields.objects("names"), fields.objects("arrays")
        if fields.whole("check") != _checksum(names, arrays):
            raise fields.wrong("check", "does not fit the list of arrays, which has changed")
        if len(names) != len(arrays):
            raise fields.wrong("names", f"lists {len(names)} names for {len(arrays)} arrays")
        return [
            Entry.from_json(name, array, f"{where}, array {name!r}")
            for name, array in zip(_distinct(names, fields), arrays, strict=True)
        ]


def _parsed(text: str, where: str) -> object:
    try:
        data = json.loads(text)
        json.dumps(data)  # what is nested too deeply for this must not reach the checksum
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The list of arrays in {where} is no valid JSON: copy it again.") from error
    return data


def _distinct(names: Sequence[object], fields: JsonFields) -> list[str]:
    seen: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            raise fields.wrong("names", f"holds {name!r}, which is no text")
        if name in seen:
            raise fields.wrong("names", f"lists {name!r} twice")
        seen[name] = None
    return list(seen)


def _shape(fields: JsonFields) -> tuple[int, ...]:
    lengths = []
    for length in fields.objects("shape"):
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise fields.wrong("shape", f"holds {length!r}, which is no length")
        lengths.append(length)
    if len(lengths) > MOST_DIMENSIONS:
        raise fields.wrong("shape", f"has {len(lengths)} dimensions")
    return tuple(lengths)


def _compressed(fields: JsonFields) -> tuple[Blob, ...]:
    blobs: list[Blob] = []
    for blob in fields.objects("zstd"):
        if blob == "m":
            blobs.append("m")
        elif blob == "v":
            blobs.append("v")
        else:
            raise fields.wrong("zstd", f"names {blob!r}, which is no part of an array")
    return tuple(blobs)


def _checksum(names: Sequence[object], arrays: Sequence[object]) -> int:
    return zlib.crc32(_as_text([names, arrays]).encode())


def _as_text(data: object) -> str:
    """ASCII without spaces, the same for the same data."""
    return json.dumps(data, separators=(",", ":"))
