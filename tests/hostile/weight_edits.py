"""Packed files that lie about what they hold."""

import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from runtime.packed.layout import KEY
from runtime.packed.reader import PackedFile
from runtime.packed.writer import write_packed
from tests.hostile.table_edits import Edits
from tests.runtime.packed_files import header_of, with_header, with_layout

Arrays = dict[str, Any]


def _arrays(edit: Callable[[Arrays], object], **options: Any) -> Callable[[bytes], bytes]:
    """A sound packed file, of other arrays."""

    def change(data: bytes) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "weights"
            path.write_bytes(data)
            arrays = dict(PackedFile.open(path).items())
            edit(arrays)
            write_packed(path, arrays, **options)
            return path.read_bytes()

    return change


def _sparse(arrays: Arrays) -> None:
    """So many zeros that the file is packed and not a plain one."""
    for array in arrays.values():
        array.reshape(-1)[::2] = 0
        array.reshape(-1)[::3] = 0


def _first(**changes: Any) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        packed = _arrays(_sparse)(data)
        return with_layout(packed, lambda layout: layout["arrays"][0].update(changes))

    return change


def _header(edit: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        packed = _arrays(_sparse)(data)
        header = header_of(packed)
        edit(header)
        return with_header(packed, header)

    return change


def _table(arrays: Arrays, codes: Any = None, scales: Any = None) -> None:
    if codes is not None:
        arrays["table.codes"] = codes
    if scales is not None:
        arrays["table.scales"] = scales


WEIGHTS: Edits = {
    "is empty": (lambda data: b"", False),
    "is cut short": (lambda data: data[: len(data) // 2], False),
    "is zeros": (lambda data: bytes(len(data)), False),
    "has a header of 2^63 bytes": (lambda data: struct.pack("<Q", 2**63) + data[8:], False),
    "has lost its list": (_header(lambda h: h["__metadata__"].clear()), False),
    "has a list nested deeply": (
        _header(lambda h: h["__metadata__"].update({KEY: "[" * 100_000})),
        False,
    ),
    "has an array of 2^70": (_first(shape=[2**70]), False),
    "has an array of 10^9 zeros": (_first(shape=[10**9], fill=0, count=0, zstd=["m", "v"]), False),
    "has an array of texts": (_first(dtype="str"), False),
    "lacks an array": (_arrays(lambda a: a.pop(next(iter(a)))), False),
    "has an array more": (_arrays(lambda a: a.update(more=np.zeros(9))), False),
    "has other codes": (_arrays(lambda a: _table(a, np.zeros((9, 32), np.int8))), False),
    "has codes of 64 bits": (_arrays(lambda a: _table(a, np.zeros((292, 32)))), False),
    "has other scales": (_arrays(lambda a: _table(a, None, np.ones((9,), np.float32))), False),
    "has scales that are no numbers": (
        _arrays(lambda a: _table(a, None, np.full(292, np.nan, np.float32))),
        False,
    ),
}
