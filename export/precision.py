"""The graphs of a bundle in other precisions: which graph gets which, and how one is written.

The weights of products are rounded, and with them Whisper's tied embedding. So are convolutions
that bear it, to 8 bits wherever anything is: they are given all frames at once. Biases, norms and
positions are few and stay fp32. Zeros stay zeros in every precision.

onnxruntime's own quantisers are not used: they keep an fp32 copy of the tied embedding for the
input, write files beside the graph, and set up the whole program's logging when imported.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import onnx_ir as ir

from export.convolutions import round_convolutions
from export.embedding import by_rows, take_out_embedding
from export.int4 import Int4Weight
from export.int8 import Int8Weight
from export.weight_uses import CONTRIB, Rounded, product_weights, replace_weight
from runtime.bundle import Family
from speech.errors import BadInput

Precision = Literal["fp32", "fp16", "int8", "int4", "mixed"]
GraphPrecision = Literal["fp32", "int8", "int4"]

#: What each graph of a bundle is written in, by its role. fp16 is a way to store fp32 graphs.
#: A decoder is given one token at a time and waits for its weights, so 4 bits make it faster; an
#: encoder or a CTC model is given all frames at once, and 4 bits make its file smaller alone.
PRECISIONS: dict[Family, dict[Precision, dict[str, GraphPrecision]]] = {
    "whisper": {
        "fp32": {"encoder": "fp32", "decoder": "fp32"},
        "fp16": {"encoder": "fp32", "decoder": "fp32"},
        "int8": {"encoder": "int8", "decoder": "int8"},
        "int4": {"encoder": "fp32", "decoder": "int4"},
        "mixed": {"encoder": "int8", "decoder": "int4"},
    },
    "ctc": {
        "fp32": {"model": "fp32"},
        "fp16": {"model": "fp32"},
        "int8": {"model": "int8"},
        "int4": {"model": "int4"},
    },
}


def graph_precisions(family: Family, precision: str) -> Mapping[str, GraphPrecision]:
    """What each graph of a bundle in `precision` is written in, by its role."""
    known = PRECISIONS[family]
    for name, graphs in known.items():
        if name == precision:
            return graphs
    why = f"{precision!r} is no precision"
    if precision == "mixed":
        why = "'mixed' is for an encoder and a decoder, and a CTC model is one graph"
    raise BadInput(f"{why}: choose {', '.join(known)}.")


def write_precision(
    graph: Path, out: Path, precision: Literal["int8", "int4"], *, embeds: bool = True
) -> None:
    """Write an exported fp32 graph again with its weights rounded.

    One that no longer `embeds` wants to be given the embeddings of its tokens.
    """
    model = _opened(graph)
    _refuse_broken_weights(model.graph, graph)
    if not embeds:
        take_out_embedding(model)
    weights, windowed = product_weights(model.graph), round_convolutions(model)
    if not weights and not windowed:
        raise BadInput(f"{graph} has no fp32 weights to round: give the graph as it was exported.")
    model.opset_imports[CONTRIB] = 1
    for weight in weights:
        rounded = _round(weight, model.graph, precision)
        replace_weight(model.graph, weight, rounded)
    if not embeds:
        by_rows(model.graph)
    ir.save(model, out)


def _opened(graph: Path) -> ir.Model:
    try:
        return ir.load(graph)
    except Exception as error:  # protobuf's, or whatever comes of a message that makes no sense
        if isinstance(error, MemoryError):
            raise
        raise BadInput(f"{graph} cannot be read as an ONNX graph: export it again.") from error


def _round(weight: ir.Value, graph: ir.Graph, precision: str) -> Rounded:
    assert weight.name is not None and weight.const_value is not None
    values = weight.const_value.numpy()
    if precision == "int4":
        return Int4Weight.of(values, weight.name, graph)
    return Int8Weight.of(values, weight.name, graph)


def _refuse_broken_weights(graph: ir.Graph, path: Path) -> None:
    for name, weight in graph.initializers.items():
        if weight.dtype != ir.DataType.FLOAT or weight.const_value is None:
            continue
        if not np.isfinite(weight.const_value.numpy()).all():
            raise BadInput(
                f"{path} has NaN or infinite weights in {name}: it cannot be rounded; "
                "export a sound checkpoint."
            )
