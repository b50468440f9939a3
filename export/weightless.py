"""An ONNX file apart into a graph without weights and a packed file of the weights."""

from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper

from runtime.packed.graph import TYPES
from runtime.packed.writer import Half, Packed, write_packed
from speech.errors import BadInput

#: Where the graph says that its weights are. No file is called so: whoever opens the graph without
#: its packed file is told this name.
LOCATION = "weights-are-in-the-packed-file"


def write_weightless(
    source: Path,
    graph: Path,
    weights: Path,
    *,
    least_bytes: int = 1024,
    half: Half = "none",
    zstd: int | None = None,
) -> Packed:
    """Write the `graph` of the ONNX file `source`, and its `weights` for `open_session`.

    Initialisers below `least_bytes` stay in the graph, where they cost less, as do those of types
    that numpy does not know. `half` and `zstd` are those of `write_packed`.
    """
    model = onnx.load(source, load_external_data=False)
    arrays = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise BadInput(
                f"{source} keeps {tensor.name!r} in another file: export it as one file."
            )
        if tensor.data_type not in TYPES:
            continue
        array = numpy_helper.to_array(tensor)
        if array.nbytes >= least_bytes:
            arrays[tensor.name] = array
            _empty(tensor)
    packed = write_packed(weights, arrays, half=half, zstd=zstd)
    graph.write_bytes(model.SerializeToString(deterministic=True))
    return packed


def _empty(tensor: TensorProto) -> None:
    """Leave of a tensor its name, type and shape."""
    bare = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    bare.data_location = TensorProto.EXTERNAL
    bare.external_data.add(key="location", value=LOCATION)
    tensor.CopyFrom(bare)
