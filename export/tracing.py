"""From a PyTorch module to one ONNX file: traced quietly, weights kept once and as they are."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

#: Has `Gelu` and `LayerNormalization` as single operators; onnxruntime 1.17 and later run it.
OPSET = 20

#: Loggers that report every exporter step; their errors still come through.
_CHATTY = ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")


@dataclass(frozen=True)
class Signature:
    """What goes in and comes out, by name; `inputs` and `axes` are nested as `forward` takes them.

    `axes` maps an axis to its name where its size may vary. Example sizes on those axes must
    differ from 0 and 1, which the tracer would take for constants.
    """

    inputs: tuple[Any, ...]
    axes: tuple[Any, ...]
    input_names: Sequence[str]
    output_names: Sequence[str]
    #: Weights that are no constants, so that onnxruntime keeps no second, rearranged copy of them.
    #: That is as fast where they are multiplied by one row at a time.
    loose: Sequence[str] = ()


@contextmanager
def _quietly() -> Iterator[None]:
    """Hide the exporter's progress and deprecation notes, but none of its errors."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def write_graph(module: nn.Module, signature: Signature, path: Path) -> None:
    """Trace `module` and write one self-contained ONNX file (its folder must exist)."""
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            signature.inputs,
            input_names=signature.input_names,
            output_names=signature.output_names,
            dynamic_shapes=signature.axes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            optimize=False,
        )
        assert program is not None  # only the legacy exporter returns nothing
        _transpose_weights(program.model.graph)
        program.optimize()
        graph = program.model.graph
        graph.inputs.extend(graph.initializers[name] for name in signature.loose)
        _forget_origins(program.model)
        ir.save(program.model, path)


def _transpose_weights(graph: ir.Graph) -> None:
    """Store `Linear` weights the way `MatMul` reads them, under their own names.

    The exporter leaves a `Transpose` before each large weight, which every start of the device
    would compute again and which hides the weight from quantizers.
    """
    for node in list(graph):
        weight = node.inputs[0] if node.op_type == "Transpose" else None
        if weight is None or weight.const_value is None or len(weight.uses()) > 1:
            continue
        order = node.attributes["perm"].as_ints()
        turned = np.ascontiguousarray(weight.const_value.numpy().transpose(order))
        node.outputs[0].replace_all_uses_with(weight)
        graph.remove(node, safe=True)
        weight.const_value = ir.tensor(turned, name=weight.name)
        weight.shape = ir.Shape(turned.shape)


def _forget_origins(model: ir.Model) -> None:
    """Drop the tracer's notes: they are long, and name this machine's source files."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.graph.doc_string = None
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
