"""Arrays that lie in a packed file with less than their own precision.

float16 is the file's own matter: its reader widens it again. A matrix in int8 lies there as two
arrays: whole numbers from -127 to 127, and under its name with `:scale` what each row of them is
multiplied by. Both keep zeros as they are.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from runtime.packed.reader import PackedFile
from runtime.packed.writer import Packed, write_packed
from speech.errors import BadInput

Values = Literal["fp32", "fp16", "int8"]
VALUES: tuple[Values, ...] = get_args(Values)

Arrays = Iterator[tuple[str, NDArray[Any]]]

#: What the name of an array is followed by in that of its scales.
_SCALE = ":scale"

#: The largest whole number; symmetric, so -128 is not used.
_LARGEST = 127

#: What the entry of the scales costs in a file: matrices that would save less stay in fp32.
_ENTRY = 200


def write_rounded(
    path: Path, arrays: Mapping[str, NDArray[Any]], values: Values, *, zstd: int | None = None
) -> Packed:
    """As `write_packed`, with the float32 arrays in `values`: bit for bit only in fp32.

    int8 is for arrays of two dimensions and more, whose first is the outputs: a scale for each.
    """
    if values == "int8":
        arrays = dict(_in_int8(arrays))
    return write_packed(path, arrays, half="all" if values == "fp16" else "none", zstd=zstd)


def rounded_names(packed: PackedFile) -> list[str]:
    """Of what was given to be written."""
    names = set(packed.names())
    return [
        name
        for name in packed.names()
        if not (name.endswith(_SCALE) and name.removesuffix(_SCALE) in names)
    ]


def rounded_arrays(packed: PackedFile) -> Arrays:
    """What was given to be written, but for the rounding; one array at a time."""
    names = set(packed.names())
    for name in rounded_names(packed):
        array = packed.array(name)
        yield name, _widened(packed, name, array) if name + _SCALE in names else array


def _in_int8(arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.ndim < 2 or 3 * array.size < 4 * len(array) + _ENTRY:
            yield name, array
            continue
        if not np.isfinite(array).all():
            raise BadInput(
                f"{name} has NaN or infinite weights, which int8 cannot hold: take fp32."
            )
        rows = array.reshape(len(array), -1)
        scale = _scales(rows)
        whole = np.rint(rows / scale[:, None]).clip(-_LARGEST, _LARGEST).astype(np.int8)
        yield name, whole.reshape(array.shape)
        yield name + _SCALE, scale


def _scales(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 for a row of zeros, and never so small that dividing by it overflows."""
    largest = np.abs(rows).max(axis=1)
    scale = np.maximum(largest / np.float32(_LARGEST), np.finfo(np.float32).tiny)
    return np.where(largest > 0, scale, np.float32(1)).astype(np.float32)


def _widened(packed: PackedFile, name: str, whole: NDArray[Any]) -> NDArray[np.float32]:
    scale = packed.array(name + _SCALE)
    kinds = whole.dtype.name, scale.dtype.name
    if kinds != ("int8", "float32") or scale.shape != whole.shape[:1]:
        raise BadInput(
            f"The array {name!r} of {packed.path} and its scales do not belong together: "
            "copy or export it again."
        )
    across = math.prod(whole.shape[1:])
    rows: NDArray[np.float32] = whole.reshape(len(scale), across) * scale[:, None]
    return rows.reshape(whole.shape)
