"""Weights in 4 bits with one scale per block of inputs; activations stay fp32 in the graph.

An eighth of the bytes, and a scale for every 32 weights on top, or 64 of a vocabulary. At accuracy
level 4 the operator may round activations to 8 bits on processors that multiply those faster.

The table of Whisper's tied embedding is rounded like the rest. It is two thirds of whisper-tiny's
decoder: in 8 bits it would leave a file 42 % larger, and a step hardly faster than int8's.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.tape import Tape

from export.weight_uses import CONTRIB, Floats, constant, store

#: Inputs that share a scale. A vocabulary of tens of thousands is most of what a step reads: with
#: blocks of 64 its product takes three quarters of the time (x86-64 with VNNI).
_BLOCK, _BLOCK_OF_MANY = 32, 64
_MANY = 1 << 14
#: The code of zero; codes run from 0 to 15.
_ZERO = 8


def block_size(outputs: int) -> int:
    return _BLOCK if outputs < _MANY else _BLOCK_OF_MANY


def round_to_int4(weight: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Codes of shape (outputs, blocks, bytes), two a byte, the first in the low half; and scales.

    Inputs are filled up to whole blocks with zeros. Whichever weight of a block is furthest from
    zero gets the code 0, of either sign (scales may be negative): so no code goes unused.
    """
    inputs, outputs = weight.shape
    size = block_size(outputs)
    blocks = np.zeros((outputs, -(-inputs // size), size), np.float32)
    blocks.reshape(outputs, -1)[:, :inputs] = weight.T
    lowest, highest = blocks.min(axis=2), blocks.max(axis=2)
    scales = np.where(-lowest > highest, lowest, highest) / np.float32(-_ZERO)
    scales[np.abs(scales) < np.finfo(np.float32).tiny] = 1
    blocks /= scales[:, :, None]
    np.rint(blocks, out=blocks)
    np.clip(blocks, -_ZERO, _ZERO - 1, out=blocks)
    blocks += _ZERO
    codes = blocks.astype(np.uint8)
    codes[:, :, 0::2] |= codes[:, :, 1::2] << 4
    return np.ascontiguousarray(codes[:, :, 0::2]), scales


@dataclass(frozen=True)
class Int4Weight:
    inputs: int
    outputs: int
    codes: ir.Value
    scales: ir.Value

    @classmethod
    def of(cls, weight: Floats, name: str, graph: ir.Graph) -> Self:
        codes, scales = round_to_int4(weight)
        return cls(
            inputs=weight.shape[0],
            outputs=weight.shape[1],
            codes=store(graph, f"{name}.codes", codes),
            scales=store(graph, f"{name}.scales", scales),
        )

    def multiply(self, tape: Tape, given: ir.Value, bias: ir.Value | None) -> ir.Value:
        return tape.op(
            "MatMulNBits",
            [given, self.codes, self.scales, None, None, bias],
            {
                "K": self.inputs,
                "N": self.outputs,
                "bits": 4,
                "block_size": block_size(self.outputs),
                "accuracy_level": 4,
            },
            domain=CONTRIB,
        )

    def look_up(self, tape: Tape, tokens: ir.Value) -> ir.Value:
        """From the codes of the product, by plain operators.

        `GatherBlockQuantized` would do it in one, but reads this layout only in versions of
        onnxruntime later than the one that a device may have.
        """
        last = constant(tape, -1)
        packed = tape.op("Unsqueeze", [tape.op("Gather", [self.codes, tokens]), last])
        halves = constant(tape, 0, 4, dtype=np.uint8)
        spread = tape.op("BitShift", [packed, halves], {"direction": "RIGHT"})
        codes = tape.op("BitwiseAnd", [spread, constant(tape, 15, dtype=np.uint8)])
        codes = tape.op("Cast", [codes], {"to": ir.DataType.FLOAT})
        codes = tape.op("Sub", [codes, constant(tape, _ZERO, dtype=np.float32)])
        blocks = tape.op("Reshape", [codes, constant(tape, 0, 0, block_size(self.outputs))])
        scales = tape.op("Unsqueeze", [tape.op("Gather", [self.scales, tokens]), last])
        rows = tape.op("Reshape", [tape.op("Mul", [blocks, scales]), constant(tape, 0, -1)])
        columns = tape.op("Transpose", [rows], {"perm": [1, 0]})
        if self.inputs % block_size(self.outputs) == 0:
            return columns
        return tape.op("Slice", [columns, constant(tape, 0), constant(tape, self.inputs)])
