"""An ONNX graph whose weights lie in a packed file, and how the two become one row of bytes.

A protobuf message may come in pieces that are put together on reading, so the graph goes first and
each weight follows as a piece of its own, decoded block by block and never whole in memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from runtime.packed.layout import MOST_DIMENSIONS
from runtime.packed.protobuf import Bytes, fields, head, numbers
from runtime.packed.reader import PackedFile
from speech.errors import BadInput

# Numbers of fields, by message.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14

#: The value of a tensor's location that says that its data is not in the message.
_ELSEWHERE = 1

#: ONNX's numbers of the types that a packed file holds.
TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
}


@dataclass(frozen=True)
class Initializer:
    """A weight of the graph."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    #: Whether its data lies elsewhere.
    absent: bool
    #: Its protobuf message, without a word about where the data lies.
    message: bytes

    @classmethod
    def parse(cls, message: Bytes) -> Self:
        name, dtype, absent, kept = "", "another type", False, bytearray()
        shape: list[int] = []
        for field in fields(message):
            if field.number not in (_TENSOR_EXTERNAL, _TENSOR_LOCATION):
                kept += field.whole
            if field.number == _TENSOR_DIMS:
                shape += numbers(field, most=MOST_DIMENSIONS - len(shape))
            elif field.number == _TENSOR_TYPE and isinstance(field.content, int):
                dtype = TYPES.get(field.content, dtype)
            elif field.number == _TENSOR_NAME:
                name = field.text
            elif field.number == _TENSOR_LOCATION:
                absent = field.content == _ELSEWHERE
        return cls(name, dtype, tuple(shape), absent, bytes(kept))


@dataclass(frozen=True)
class WeightlessGraph:
    """An ONNX file, apart into its weights and everything else."""

    path: Path
    rest: bytes
    initializers: tuple[Initializer, ...]

    @classmethod
    def open(cls, path: Path) -> Self:
        try:
            return cls(path, *_taken_apart(path.read_bytes()))
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise BadInput(f"{path} is no ONNX graph ({error}): export it again.") from error

    def check(self, weights: PackedFile) -> None:
        """The file holds exactly the weights that are absent here, in their shapes and types."""
        left = set(weights.names())
        for wanted in self.initializers:
            if not wanted.absent:
                continue
            if wanted.name not in left:
                raise self._mismatch(weights, f"has no array {wanted.name!r}, which", "asks for")
            left.remove(wanted.name)
            found = weights.dtype(wanted.name).name, weights.shape(wanted.name)
            if found != (wanted.dtype, wanted.shape):
                raise self._mismatch(
                    weights,
                    f"has an array {wanted.name!r} of {found[0]} {list(found[1])}, where",
                    f"asks for {wanted.dtype} {list(wanted.shape)}",
                )
        if left:
            raise self._mismatch(weights, f"has an array {min(left)!r}, which", "does not ask for")

    def joined(self, weights: PackedFile) -> Iterator[bytes | memoryview]:
        """The bytes of the ONNX file with its weights inside, piece by piece."""
        yield self.rest
        for weight in self.initializers:
            if weight.absent:
                size = math.prod(weight.shape) * weights.dtype(weight.name).itemsize
                yield _begun(weight.message + head(_TENSOR_RAW, size), size)
                for block in weights.blocks(weight.name):
                    yield block.view(np.uint8).data
            else:
                yield _begun(weight.message, 0)

    def _mismatch(self, weights: PackedFile, what: str, but: str) -> BadInput:
        return BadInput(f"{weights.path} {what} {self.path} {but}: export the bundle again.")


def _taken_apart(model: bytes) -> tuple[bytes, tuple[Initializer, ...]]:
    beside, graph = bytearray(), bytearray()
    initializers = []
    for field in fields(model):
        if field.number != _MODEL_GRAPH or isinstance(field.content, int):
            beside += field.whole
            continue
        for part in fields(field.content):
            if part.number != _GRAPH_INITIALIZER or isinstance(part.content, int):
                graph += part.whole
            else:
                initializers.append(Initializer.parse(part.content))
    return bytes(beside + head(_MODEL_GRAPH, len(graph)) + graph), tuple(initializers)


def _begun(initializer: bytes, more: int) -> bytes:
    """A piece of the model that adds an initialiser, up to its last `more` bytes."""
    inner = head(_GRAPH_INITIALIZER, len(initializer) + more) + initializer
    return head(_MODEL_GRAPH, len(inner) + more) + inner
