"""Weights in 8 bits with one scale per output; activations are rounded while the graph runs.

A quarter of the bytes. The embedding of a token comes from the very table that the vocabulary
projection multiplies by, so no second copy of it is kept.

Codes end at 64 and not at 127. Processors of x86-64 that lack VNNI add two products of a signed
with an unsigned byte in 16 bits, which 127 would overflow; the way around, unsigned weights, takes
them a quarter longer. So there is one graph for every processor, and it hears the same on all.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

from export.weight_uses import CONTRIB, Floats, store

#: 2 * 64 * 255 is the largest sum of two products that 16 bits hold.
_LARGEST = 64


def round_to_int8(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Codes from -64 to 64 of shape (inputs, outputs), and the scale of each output.

    The code of zero is zero, so what was pruned stays pruned. An output of nothing but zeros
    would have scale 0 and divide by it; with scale 1 its codes are zeros too.
    """
    scales = np.maximum(weight.max(axis=0), -weight.min(axis=0)) / np.float32(_LARGEST)
    scales[scales < np.finfo(np.float32).tiny] = 1
    codes = weight / scales
    return np.rint(codes, out=codes).astype(np.int8), scales


@dataclass(frozen=True)
class Codes:
    """What a product is given, in bytes: a step of its own, so that onnxruntime takes it once where
    several products are given the same.
    """

    values: ir.Value
    scale: ir.Value
    zero: ir.Value

    @classmethod
    def of(cls, tape: Tape, given: ir.Value) -> Self:
        return cls(*tape.op_multi_out("DynamicQuantizeLinear", [given], num_outputs=3))


@dataclass(frozen=True)
class Int8Weight:
    codes: ir.Value
    scales: ir.Value

    @classmethod
    def of(cls, weight: Floats, name: str, graph: ir.Graph) -> Self:
        codes, scales = round_to_int8(weight)
        return cls(store(graph, f"{name}.codes", codes), store(graph, f"{name}.scales", scales))

    def multiply(self, tape: Tape, given: ir.Value, bias: ir.Value | None) -> ir.Value:
        return self.multiply_codes(tape, Codes.of(tape, given), bias)

    def multiply_codes(self, tape: Tape, given: Codes, bias: ir.Value | None) -> ir.Value:
        inputs = [given.values, self.codes, given.scale, self.scales, given.zero, None, bias]
        return tape.op("MatMulIntegerToFloat", inputs, domain=CONTRIB)

    def look_up(self, tape: Tape, tokens: ir.Value) -> ir.Value:
        codes = tape.op("Gather", [self.codes, tokens], {"axis": 1})
        codes = tape.op("Cast", [codes], {"to": ir.DataType.FLOAT})
        return tape.op("Mul", [codes, tape.op("Gather", [self.scales, tokens])])
