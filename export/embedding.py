"""Whisper's token embeddings, taken out of a decoder: whoever runs it gives them.

The table of a tied embedding is also the vocabulary projection. onnxruntime rearranges what it
multiplies by, and would keep the table as it was beside that, only to look a few rows up. Out of
the graph they are read from the file of weights, one row at a time (`runtime.embedding`).
"""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnx_ir.tape import Tape

from runtime.embedding import CODES, GIVEN, TABLE


def take_out_embedding(model: ir.Model) -> None:
    """Of an fp32 graph: an input of shape (width, tokens) stands for what was looked up.

    A graph without a tied embedding stays as it is.
    """
    table = model.graph.initializers.get(TABLE)
    for node, _ in table.uses() if table else ():
        if node.op_type == "Gather":
            looked_up = node.outputs[0]
            given = ir.val(GIVEN, ir.DataType.FLOAT, looked_up.shape)
            looked_up.replace_all_uses_with(given)
            model.graph.inputs.append(given)
    RemoveUnusedNodesPass()(model)


def by_rows(graph: ir.Graph) -> None:
    """Store the 8-bit table token by token. onnxruntime turns it once, as it loads the graph."""
    codes = graph.initializers.get(CODES)
    if codes is None or codes.dtype != ir.DataType.INT8:
        return
    assert codes.const_value is not None and codes.shape is not None
    users = list(codes.uses())
    tape = Tape()
    turned = tape.op("Transpose", [codes], {"perm": [1, 0]})
    turned.dtype, turned.shape = codes.dtype, ir.Shape(codes.shape)
    graph.insert_before(users[0][0], tape.nodes)
    for node, index in users:
        node.replace_input_with(index, turned)
    rows = codes.const_value.numpy().T.copy()
    codes.const_value, codes.shape = ir.tensor(rows, name=CODES), ir.Shape(rows.shape)
