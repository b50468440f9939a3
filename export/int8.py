"""Weights in 8 bits with one scale per output; activations are rounded while the graph runs.

A quarter of the bytes. The embedding of a token comes from the very table that the vocabulary
projection multiplies by, so no second copy of it is kept.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

from export.weight_uses import CONTRIB, Floats, store

_LARGEST = 127
#: Added to signed codes to make unsigned ones.
_OFFSET = 128


def round_to_int8(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Codes from -127 to 127 of shape (inputs, outputs), and the scale of each output.

    The code of zero is zero, so what was pruned stays pruned. An output of nothing but zeros
    would have scale 0 and divide by it; with scale 1 its codes are zeros too.
    """
    scales = np.maximum(weight.max(axis=0), -weight.min(axis=0)) / np.float32(_LARGEST)
    scales[scales < np.finfo(np.float32).tiny] = 1
    codes = weight / scales
    return np.rint(codes, out=codes).astype(np.int8), scales


@dataclass(frozen=True)
class Int8Weight:
    """Signed codes, or the same shifted to unsigned ones: the weights they mean are equal."""

    codes: ir.Value
    scales: ir.Value
    #: The unsigned code of zero.
    zero: ir.Value | None

    @classmethod
    def of(cls, weight: Floats, name: str, graph: ir.Graph, *, signed: bool) -> Self:
        codes, scales = round_to_int8(weight)
        kept = store(graph, f"{name}.scales", scales)
        if signed:
            return cls(store(graph, f"{name}.codes", codes), kept, None)
        shifted = codes.view(np.uint8) ^ np.uint8(_OFFSET)
        zero = store(graph, f"{name}.zero", np.array(_OFFSET, np.uint8))
        return cls(store(graph, f"{name}.codes", shifted), kept, zero)

    def multiply(self, tape: Tape, given: ir.Value, bias: ir.Value | None) -> ir.Value:
        inputs = [given, self.codes, self.scales, self.zero, bias]
        return tape.op("DynamicQuantizeMatMul", inputs, domain=CONTRIB)

    def look_up(self, tape: Tape, tokens: ir.Value) -> ir.Value:
        codes = tape.op("Gather", [self.codes, tokens], {"axis": 1})
        codes = tape.op("Cast", [codes], {"to": ir.DataType.FLOAT})
        if self.zero is not None:
            codes = tape.op("Sub", [codes, tape.op("Cast", [self.zero], {"to": ir.DataType.FLOAT})])
        return tape.op("Mul", [codes, tape.op("Gather", [self.scales, tokens])])
