"""What an ONNX file refers to, seen before onnxruntime opens it and without reading its weights.

onnxruntime would follow external data to any file in the folder, run a loop for ever, and expand
functions that call one another until memory is full. A bundle's graphs need none of this.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runtime.packed.protobuf import Bytes, Field, fields
from speech.errors import BadInput
from speech.records import shortened

# Numbers of fields, by message.
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_SPARSE_TENSORS = (1, 2)
_TENSOR_EXTERNAL = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

#: Branches inside branches; exporters write none at all.
_DEEPEST = 8

#: whisper-small's decoder has some 30,000.
_MOST_FIELDS = 1_000_000


@dataclass(frozen=True)
class Reference:
    """A place outside the ONNX file that holds the data of a tensor."""

    #: As the file names it: to be taken from the folder of the ONNX file.
    location: str
    #: Whether it is a weight of the main graph, which a packed file may hold instead.
    is_weight: bool


@dataclass(frozen=True)
class OnnxFile:
    """The references of one ONNX file, which holds no loops and no functions of its own."""

    path: Path
    references: tuple[Reference, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Cheap: the file is mapped, and the pages of its weights are never touched."""
        try:
            with path.open("rb") as file:
                if not file.seek(0, 2):
                    raise ValueError("it is empty")
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return cls(path, tuple(dict.fromkeys(_Walk().model(memoryview(mapped)))))
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise BadInput(f"{path} is no graph of a bundle ({error}): export it again.") from error


class _Walk:
    """Goes through the messages of one file, and not through more of them than a model has."""

    def __init__(self) -> None:
        self._left = _MOST_FIELDS

    def model(self, model: Bytes) -> Iterator[Reference]:
        has_graph = False
        for field in self._fields(model):
            if field.number == _MODEL_FUNCTION:
                raise ValueError("it has functions of its own")
            if field.number == _MODEL_GRAPH:
                has_graph = True
                yield from self._graph(field.message, depth=0)
        if not has_graph:
            raise ValueError("it holds none")

    def _fields(self, message: Bytes) -> Iterator[Field]:
        for field in fields(message):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {_MOST_FIELDS} parts")
            yield field

    def _graph(self, graph: Bytes, depth: int) -> Iterator[Reference]:
        if depth > _DEEPEST:
            raise ValueError("its branches are nested too deeply")
        for field in self._fields(graph):
            if field.number == _GRAPH_NODE:
                yield from self._node(field.message, depth)
            elif field.number == _GRAPH_INITIALIZER:
                yield from self._tensor(field.message, is_weight=depth == 0)
            elif field.number == _GRAPH_SPARSE:
                yield from self._sparse(field.message)

    def _node(self, node: Bytes, depth: int) -> Iterator[Reference]:
        operator, graphs = "", list[Bytes]()
        for field in self._fields(node):
            if field.number == _NODE_OPERATOR:
                operator = field.text
            elif field.number == _NODE_ATTRIBUTE:
                for part in self._fields(field.message):
                    if part.number in _ATTRIBUTE_TENSORS:
                        yield from self._tensor(part.message)
                    elif part.number in _ATTRIBUTE_SPARSE:
                        yield from self._sparse(part.message)
                    elif part.number in _ATTRIBUTE_GRAPHS:
                        graphs.append(part.message)
        if graphs and operator != "If":
            what = shortened(operator)
            raise ValueError(f"it has a node {what} with a graph inside, which may run for ever")
        for graph in graphs:
            yield from self._graph(graph, depth + 1)

    def _sparse(self, tensor: Bytes) -> Iterator[Reference]:
        for field in self._fields(tensor):
            if field.number in _SPARSE_TENSORS:
                yield from self._tensor(field.message)

    def _tensor(self, tensor: Bytes, *, is_weight: bool = False) -> Iterator[Reference]:
        """Whether or not the tensor says that it uses its external data."""
        for field in self._fields(tensor):
            if field.number != _TENSOR_EXTERNAL:
                continue
            key = value = ""
            for part in self._fields(field.message):
                if part.number == _ENTRY_KEY:
                    key = part.text
                elif part.number == _ENTRY_VALUE:
                    value = part.text
            if key == "location":
                yield Reference(value, is_weight)
