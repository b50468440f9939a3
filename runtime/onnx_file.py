"""What an ONNX file refers to, seen before onnxruntime opens it and without reading its weights.

onnxruntime would follow external data to any file in the folder, run a loop for ever, and expand
functions that call one another until memory is full. A bundle's graphs need none of this.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from runtime.packed.protobuf import spans
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

#: Where a message begins and ends in the file.
Span: TypeAlias = tuple[int, int]

#: Branches inside branches; exporters write none at all.
_DEEPEST = 8

#: The largest Whisper has some 3,000 nodes and 100,000 fields. onnxruntime works for minutes on
#: what has many more.
_MOST_NODES, _MOST_FIELDS = 20_000, 500_000


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
            return cls(path, tuple(dict.fromkeys(_Walk(memoryview(mapped)).references())))
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise BadInput(f"{path} is no graph of a bundle ({error}): export it again.") from error


class _Walk:
    """Goes through the messages of one file, and not through more of them than a model has."""

    def __init__(self, data: memoryview):
        self._data = data
        self._nodes, self._left = 0, _MOST_FIELDS

    def references(self) -> Iterator[Reference]:
        has_graph = False
        for number, message in self._messages((0, len(self._data))):
            if number == _MODEL_FUNCTION:
                raise ValueError("it has functions of its own")
            if number == _MODEL_GRAPH:
                has_graph = True
                yield from self._graph(message, depth=0)
        if not has_graph:
            raise ValueError("it holds none")

    def _messages(self, message: Span) -> Iterator[tuple[int, Span]]:
        """Numbers of the fields that hold bytes, and where those are."""
        for number, value, begin, end in spans(self._data, *message):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {_MOST_FIELDS} parts")
            if value is None:
                yield number, (begin, end)

    def _text(self, span: Span) -> str:
        return bytes(self._data[span[0] : span[1]]).decode()

    def _graph(self, graph: Span, depth: int) -> Iterator[Reference]:
        if depth > _DEEPEST:
            raise ValueError("its branches are nested too deeply")
        for number, message in self._messages(graph):
            if number == _GRAPH_NODE:
                self._nodes += 1
                if self._nodes > _MOST_NODES:
                    raise ValueError(f"it has more than {_MOST_NODES} nodes")
                yield from self._node(message, depth)
            elif number == _GRAPH_INITIALIZER:
                yield from self._tensor(message, is_weight=depth == 0)
            elif number == _GRAPH_SPARSE:
                yield from self._sparse(message)

    def _node(self, node: Span, depth: int) -> Iterator[Reference]:
        operator, graphs = (0, 0), list[Span]()
        for number, message in self._messages(node):
            if number == _NODE_OPERATOR:
                operator = message
            elif number == _NODE_ATTRIBUTE:
                for kind, part in self._messages(message):
                    if kind in _ATTRIBUTE_TENSORS:
                        yield from self._tensor(part)
                    elif kind in _ATTRIBUTE_SPARSE:
                        yield from self._sparse(part)
                    elif kind in _ATTRIBUTE_GRAPHS:
                        graphs.append(part)
        if graphs and (named := self._text(operator)) != "If":
            what = shortened(named)
            raise ValueError(f"it has a node {what} with a graph inside, which may run for ever")
        for graph in graphs:
            yield from self._graph(graph, depth + 1)

    def _sparse(self, tensor: Span) -> Iterator[Reference]:
        for number, message in self._messages(tensor):
            if number in _SPARSE_TENSORS:
                yield from self._tensor(message)

    def _tensor(self, tensor: Span, *, is_weight: bool = False) -> Iterator[Reference]:
        """Whether or not the tensor says that it uses its external data."""
        for number, message in self._messages(tensor):
            if number != _TENSOR_EXTERNAL:
                continue
            entry = dict(self._messages(message))
            if self._text(entry.get(_ENTRY_KEY, (0, 0))) == "location":
                yield Reference(self._text(entry.get(_ENTRY_VALUE, (0, 0))), is_weight)
