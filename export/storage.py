"""What the weights of a bundle take: on disk, on their way, in memory, and in other formats."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from prune.packed_weights import PACKED_WEIGHTS, PLAIN_WEIGHTS, is_packed
from runtime.archive import Report, transfer_size
from runtime.bundle import HOST_ONLY, Bundle
from runtime.packed.cost import StorageCost, packed_size, storage_cost
from runtime.packed.graph import TYPES
from runtime.packed.reader import PackedFile
from runtime.packed.rounded import rounded_arrays

Arrays = dict[str, NDArray[Any]]

#: The sum of the parts; its files are sent together, in the order of an archive.
ALL = "all"


@dataclass(frozen=True)
class PartSize:
    """Bytes of one model in a bundle: of its files, and of its weights alone."""

    on_disk: int
    #: As an archive compresses the files.
    transfer: int
    weights: StorageCost

    def to_json(self) -> dict[str, int]:
        return {"on_disk": self.on_disk, "transfer": self.transfer, **asdict(self.weights)}


@dataclass(frozen=True)
class _Part:
    name: str
    files: tuple[Path, ...]
    arrays: Arrays
    #: Bytes of the weights in the packed form.
    packed: int


def storage_sizes(bundle: Bundle, *, report: Report | None = None) -> dict[str, PartSize]:
    """Of each graph, of the PyTorch checkpoint, and of all of them where they are several."""
    sizes, files = dict[str, PartSize](), list[Path]()
    for part in _parts(bundle):
        sizes[part.name] = PartSize(_on_disk(part), transfer_size(part.files), _cost(part, report))
        files += part.files
    if len(sizes) > 1:
        costs = [asdict(size.weights) for size in sizes.values()]
        weights = StorageCost(**{key: sum(cost[key] for cost in costs) for key in costs[0]})
        on_disk = sum(size.on_disk for size in sizes.values())
        sizes[ALL] = PartSize(on_disk, transfer_size(sorted(files)), weights)
    return sizes


def _parts(bundle: Bundle) -> Iterator[_Part]:
    for role in bundle.manifest.graphs:
        yield _graph(role, bundle)
    folder = bundle.folder / HOST_ONLY
    if folder.is_dir():
        yield _checkpoint(folder)


def _graph(role: str, bundle: Bundle) -> _Part:
    graph, weights = bundle.graph(role), bundle.weights(role)
    arrays = _initializers(graph)
    if weights is None:
        return _Part(role, (graph,), arrays, packed_size(arrays))
    inside = sum(array.nbytes for array in arrays.values())
    arrays |= dict(PackedFile.open(weights).items())
    return _Part(role, (graph, weights), arrays, inside + weights.stat().st_size)


def _checkpoint(folder: Path) -> _Part:
    packed = is_packed(folder)
    file = folder / (PACKED_WEIGHTS if packed else PLAIN_WEIGHTS)
    arrays = dict(rounded_arrays(PackedFile.open(file)))
    size = file.stat().st_size if packed else packed_size(arrays)
    return _Part(HOST_ONLY, (file,), arrays, size)


def _initializers(graph: Path) -> Arrays:
    """The weights that are in the graph itself."""
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load(graph, load_external_data=False).graph.initializer
        if tensor.data_location != TensorProto.EXTERNAL and tensor.data_type in TYPES
    }


def _on_disk(part: _Part) -> int:
    return sum(file.stat().st_size for file in part.files)


def _cost(part: _Part, report: Report | None) -> StorageCost:
    total, done = sum(array.nbytes for array in part.arrays.values()), 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        if report:
            report(f"weighing {part.name}, MiB", done >> 20, -(-total >> 20))

    return storage_cost(part.arrays.values(), packed=part.packed, told=told)
