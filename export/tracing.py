"""From a PyTorch module to one ONNX file: traced quietly, weights kept once and as they are.

Tracing is nearly all of the time, and what comes of it depends on shapes and settings alone: what
differs in its weights only, such as the variants of a model, is traced once (`export.stencils`).
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.onnx import ONNXProgram

from export.stencils import keep_stencil, read_stencil

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
        program = _traced(module.eval(), signature)
        _transpose_weights(program.model.graph)
        program.optimize()
        graph = program.model.graph
        graph.inputs.extend(graph.initializers[name] for name in signature.loose)
        _forget_origins(program.model)
        ir.save(program.model, path)


def _traced(module: nn.Module, signature: Signature) -> ONNXProgram:
    """The module's program with its weights, traced anew only if none like it was."""
    weights = _weights(module)
    key = _likeness(module, signature, weights)
    model = read_stencil(key)
    if model is None:
        program = _trace(module, signature)
        if not program.model.graph.initializers.keys() <= weights.keys():
            return program  # it has constants that may have been worked out from the weights
        keep_stencil(key, program.model)
        model = program.model.clone()
    for name, value in model.graph.initializers.items():
        value.const_value = ir.tensor(weights[name].detach().numpy(), name=name)
    return ONNXProgram(model, None)


def _trace(module: nn.Module, signature: Signature) -> ONNXProgram:
    program = torch.onnx.export(
        module,
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
    return program


def _weights(module: nn.Module) -> dict[str, Tensor]:
    parameters = module.named_parameters(remove_duplicate=False)
    return {**dict(parameters), **dict(module.named_buffers(remove_duplicate=False))}


def _likeness(module: nn.Module, signature: Signature, weights: Mapping[str, Tensor]) -> str:
    """A hash of all that tracing can see of a module, which is all but the values of its weights.

    Weights that share their memory count as tied.
    """
    first = dict[int, str]()
    held = [
        (name, weight.shape, weight.dtype, first.setdefault(weight.data_ptr(), name))
        for name, weight in weights.items()
    ]
    said = dict[int, str]()
    parts = [(name, type(part), _settings(part, said)) for name, part in module.named_modules()]
    inputs = [(given.shape, given.dtype) for given in _flat(signature.inputs)]
    names = (signature.axes, signature.input_names, signature.output_names, signature.loose)
    return hashlib.sha256(repr((held, parts, inputs, names)).encode()).hexdigest()


def _settings(part: nn.Module, said: dict[int, str]) -> list[tuple[str, str]]:
    """What decides how a module computes beside its weights: numbers, switches, functions.

    What begins with _ is bookkeeping: transformers leaves hooks there once a model has listened.
    Each value is `said` once, for nearly all modules hold the same long configuration.
    """

    def words(value: object) -> str:
        if id(value) not in said:
            said[id(value)] = getattr(value, "__qualname__", None) or repr(value)
        return said[id(value)]

    return sorted(
        (key, words(value)) for key, value in vars(part).items() if not key.startswith("_")
    )


def _flat(inputs: Any) -> Iterator[Tensor]:
    if isinstance(inputs, Tensor):
        yield inputs
    else:
        for part in inputs:
            yield from _flat(part)


def _transpose_weights(graph: ir.Graph) -> None:
    """Store `Linear` weights the way `MatMul` reads them, under their own names.

    The exporter leaves a `Transpose` before each large weight, which every start of the device
    would compute again and which hides the weight from quantizers.
    """
    for weight in graph.initializers.values():
        nodes = [node for node, _ in weight.uses()]
        if not nodes or any(node.op_type != "Transpose" for node in nodes):
            continue
        order, *others = {tuple(node.attributes["perm"].as_ints()) for node in nodes}
        if others or weight.const_value is None:
            continue
        turned = np.ascontiguousarray(weight.const_value.numpy().transpose(order))
        for node in nodes:
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
