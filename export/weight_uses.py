"""The weights of a graph that its products read, and another way to compute with them.

A weight stands as (inputs, outputs) in an initialiser. Whisper's tied embedding is one too: the
vocabulary projection multiplies by it, and the input embedding looks columns up in it. (An
embedding that is not tied is no product's weight: it is left as it is.)
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

Floats = NDArray[np.float32]

#: Where onnxruntime keeps operators of its own.
CONTRIB = "com.microsoft"


class Rounded(Protocol):
    """A weight in a precision of its own, which knows the operators that read it."""

    def multiply(self, tape: Tape, given: ir.Value, bias: ir.Value | None) -> ir.Value:
        """`given` times the weight, plus the bias."""

    def look_up(self, tape: Tape, tokens: ir.Value) -> ir.Value:
        """The columns of the tokens, side by side: (inputs, tokens)."""


@dataclass(frozen=True)
class _Use:
    """Nodes that together compute one thing from a weight; the last gives the result."""

    nodes: tuple[ir.Node, ...]
    #: What is multiplied, or the tokens that are looked up.
    given: ir.Value
    is_product: bool
    bias: ir.Value | None = None

    def compute(self, weight: Rounded, tape: Tape) -> ir.Value:
        if self.is_product:
            return weight.multiply(tape, self.given, self.bias)
        return weight.look_up(tape, self.given)


def product_weights(graph: ir.Graph) -> list[ir.Value]:
    """fp32 matrices that products read, and otherwise look-ups alone."""
    return [
        value
        for value in graph.initializers.values()
        if any(use.is_product for use in _uses(value) or ())
    ]


def store(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """A new initialiser."""
    return Tape(graph).initializer(ir.tensor(array), name)


def constant(tape: Tape, *numbers: int, dtype: Any = np.int64) -> ir.Value:
    """A vector."""
    return tape.op("Constant", [], {"value": ir.tensor(np.array(numbers, dtype))})


def replace_weight(graph: ir.Graph, weight: ir.Value, rounded: Rounded) -> None:
    """Compute everything that `weight` was for from `rounded`, and drop it."""
    for use in _uses(weight) or ():
        tape = Tape()
        result = use.compute(rounded, tape)
        first, last = use.nodes[0], use.nodes[-1]
        ir.convenience.replace_nodes_and_values(
            graph, first, use.nodes, tape.nodes, last.outputs, [result]
        )
    assert weight.name is not None
    del graph.initializers[weight.name]
    if weight in graph.inputs:
        graph.inputs.remove(weight)


def _uses(weight: ir.Value) -> list[_Use] | None:
    """None where something else reads the weight, or it is no fp32 matrix."""
    if weight.dtype != ir.DataType.FLOAT or weight.shape is None or weight.shape.rank() != 2:
        return None
    found = []
    for node, index in weight.uses():
        if node.op_type == "MatMul" and index == 1:
            found.append(_product(node))
        elif node.op_type == "Gather" and index == 0 and _looks_up_columns(node):
            found.append(_Use((node,), _input(node, 1), is_product=False))
        else:
            return None
    return found


def _product(node: ir.Node) -> _Use:
    """A product with its bias, if nothing else wants it without."""
    plain, given = node.outputs[0], _input(node, 0)
    uses = plain.uses()
    if len(uses) == 1 and not plain.is_graph_output():
        ((add, index),) = uses
        if add.op_type == "Add" and _is_bias(bias := _input(add, 1 - index), _input(node, 1)):
            return _Use((node, add), given, is_product=True, bias=bias)
    return _Use((node,), given, is_product=True)


def _is_bias(value: ir.Value, weight: ir.Value) -> bool:
    assert weight.shape is not None
    return value.is_initializer() and value.shape == weight.shape[1:]


def _looks_up_columns(node: ir.Node) -> bool:
    tokens = _input(node, 1)
    axis = node.attributes.get_int("axis", 0)
    return axis == 1 and tokens.shape is not None and tokens.shape.rank() == 1


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None  # of a MatMul, a Gather or an Add none may be left out
    return value
