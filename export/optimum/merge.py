"""Two decoder graphs, the first call's and the later ones', as branches of one that has both.

Made the way the readers of `decoder_model_merged.onnx` expect it: every input is always given,
and what a branch has no use for may be empty; a cross-attention cache that was given is not given
back but left empty, and the reader keeps the one it has. Both branches share their weights.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import (
    DeduplicateHashedInitializersPass,
    LiftSubgraphInitializersToMainGraphPass,
    NameFixPass,
)

#: True where a cache is given.
SWITCH = "use_cache_branch"


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of the merged graph; a size is a number, or a name where it varies."""

    name: str
    dtype: ir.DataType
    sizes: tuple[int | str, ...]

    def value(self) -> ir.Value:
        return ir.val(self.name, self.dtype, self.sizes)


def merged(
    first: ir.Model, later: ir.Model, inputs: Sequence[Port], outputs: Sequence[Port]
) -> ir.Model:
    """The names of both models' inputs and outputs say which of the ports they are."""
    given = {port.name: port.value() for port in inputs}
    switch = ir.val(SWITCH, ir.DataType.BOOL, [1])
    either = ir.node(
        "If",
        [switch],
        {
            "then_branch": _branch(later, given, outputs, "later"),
            "else_branch": _branch(first, given, outputs, "first"),
        },
        outputs=[port.value() for port in outputs],
    )
    whole = ir.Graph(
        [*given.values(), switch],
        either.outputs,
        nodes=[either],
        opset_imports=first.opset_imports | later.opset_imports,
        name="merged_decoder",
    )
    model = ir.Model(whole, ir_version=first.ir_version, producer_name=first.producer_name)
    for tidy in (
        LiftSubgraphInitializersToMainGraphPass(),
        DeduplicateHashedInitializersPass(),
        NameFixPass(),
    ):
        tidy(model)
    return model


def _branch(
    model: ir.Model, given: Mapping[str, ir.Value], outputs: Sequence[Port], name: str
) -> ir.Graph:
    """The graph without inputs of its own, its values named apart from those of the whole."""
    graph = model.graph
    for value in list(graph.inputs):
        value.replace_all_uses_with(given[str(value.name)])
    graph.inputs.clear()
    made = {value.name: value for value in graph.outputs}
    graph.outputs[:] = [made.get(port.name) or _empty(port, graph) for port in outputs]
    for node in graph:
        for value in node.outputs:
            value.name = f"{name}.{value.name}"
    graph.name = name
    return graph


def _empty(port: Port, graph: ir.Graph) -> ir.Value:
    """Nothing, in the rank and type of an output that this branch does not compute."""
    sizes = [size if isinstance(size, int) else 0 for size in port.sizes]
    nothing = ir.tensor(np.zeros(sizes, port.dtype.numpy()))
    node = ir.node("Constant", [], {"value": nothing})
    node.outputs[0].name = port.name
    graph.append(node)
    return node.outputs[0]
