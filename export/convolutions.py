"""Convolutions along time in 8 bits: as products of windows that are laid side by side.

They are a tenth of whisper-tiny's encoder, and half of the larger wav2vec 2.0 models. Time comes
before channels in a product, so a chain of convolutions turns its input once, and back at its end.

Two kinds stay fp32, for windows would cost what bytes gain: those of the waveform itself, which has
one channel, and those in groups, whose windows are long and overlap. And so do all of a model that
norms each channel over the whole clip (wav2vec2-base, SEW): there quiet frames are small numbers
beside loud ones, and one scale for both leaves of them what correlates by 0.7 with what they were.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnx_ir.tape import Tape

from export.int8 import Codes, Int8Weight
from export.weight_uses import constant

#: Norms that leave quiet frames quiet.
_OVER_THE_CLIP = ("InstanceNormalization", "GroupNormalization")

_TURNED = (0, 2, 1)
_TO_THE_END = np.iinfo(np.int64).max


def round_convolutions(model: ir.Model) -> bool:
    """Those that gain by it and lose nothing; whether there are any."""
    if any(node.op_type in _OVER_THE_CLIP for node in model.graph):
        return False
    gaining = [node for node in model.graph if _gains(node)]
    for node in gaining:
        _replace(model.graph, node)
    if gaining:
        RemoveUnusedNodesPass()(model)
    return bool(gaining)


@dataclass(frozen=True)
class _Windows:
    """What a convolution multiplies its weight by."""

    kernel: int
    stride: int
    before: int
    after: int

    @classmethod
    def of(cls, node: ir.Node, kernel: int) -> Self:
        (stride,) = node.attributes.get_ints("strides", [1])
        before, after = node.attributes.get_ints("pads", [0, 0])
        return cls(kernel, stride, before, after)

    def of_codes(self, tape: Tape, given: Codes) -> Codes:
        """Of (1, time, channels): (1, windows, kernel × channels)."""
        values = given.values
        if self.before or self.after:
            sides = constant(tape, 0, self.before, 0, 0, self.after, 0)
            values = tape.op("Pad", [values, sides, given.zero])
        if self.kernel > 1 or self.stride > 1:
            parts = [self._at(tape, values, place) for place in range(self.kernel)]
            values = tape.op("Concat", parts, {"axis": 2})
        return replace(given, values=values)

    def _at(self, tape: Tape, values: ir.Value, place: int) -> ir.Value:
        """What stands at one place of every window."""
        end = place + 1 - self.kernel
        bounds = (place, end or _TO_THE_END, 1, self.stride)
        return tape.op("Slice", [values, *(constant(tape, bound) for bound in bounds)])


def _gains(node: ir.Node) -> bool:
    if node.op_type != "Conv":
        return False
    weight = _weight(node)
    if not weight.is_initializer() or weight.shape is None or len(weight.uses()) > 1:
        return False
    _, channels, *kernel = weight.shape.numpy()
    together = node.attributes.get_int("group", 1) == 1
    gapless = set(node.attributes.get_ints("dilations", [1])) == {1}
    told = node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    return len(kernel) == 1 and channels > 1 and together and gapless and told


def _replace(graph: ir.Graph, node: ir.Node) -> None:
    weight, bias = _weight(node), node.inputs[2] if len(node.inputs) > 2 else None
    assert weight.name is not None and weight.const_value is not None
    values = weight.const_value.numpy()
    outputs, _, kernel = values.shape
    matrix = values.transpose(2, 1, 0).reshape(-1, outputs)
    rounded = Int8Weight.of(matrix, weight.name, graph)

    tape = Tape()
    windows = _Windows.of(node, kernel).of_codes(tape, _codes(tape, node.inputs[0]))
    product = rounded.multiply_codes(tape, windows, bias)
    batch, channels, time = node.outputs[0].shape or (None, outputs, None)
    product.shape = ir.Shape((batch, time, channels))  # a guess of speed asks for it
    product.dtype = ir.DataType.FLOAT
    result = tape.op("Transpose", [product], {"perm": _TURNED})
    ir.convenience.replace_nodes_and_values(graph, node, [node], tape.nodes, node.outputs, [result])
    del graph.initializers[weight.name]


def _weight(node: ir.Node) -> ir.Value:
    weight = node.inputs[1]
    assert weight is not None
    return weight


def _codes(tape: Tape, given: ir.Value | None) -> Codes:
    """Of (1, channels, time), with time first: bytes are turned faster than floats."""
    assert given is not None
    if (before := _before_turning(tape, given)) is not None:
        return Codes.of(tape, before)
    codes = Codes.of(tape, given)
    return replace(codes, values=tape.op("Transpose", [codes.values], {"perm": _TURNED}))


def _before_turning(tape: Tape, value: ir.Value) -> ir.Value | None:
    """What was turned to give this, with the activation that came after; None where nothing was."""
    node = value.producer()
    if node is None or (source := node.inputs[0]) is None:
        return None
    if node.op_type == "Transpose":
        return source if tuple(node.attributes["perm"].as_ints()) == _TURNED else None
    if node.op_type == "Gelu" and (before := _before_turning(tape, source)) is not None:
        return tape.op("Gelu", [before], node.attributes)
    return None
