"""What onnxruntime makes of a graph under our settings."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from runtime.session import _options
from runtime.settings import DEFAULT


def test_a_sum_and_its_norm_stay_two_operators(tmp_path: Path) -> None:
    """As one they take seven times as long."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 9, 8]) for name in "abn"]
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "scale"], ["n"]),
    ]
    weights = [numpy_helper.from_array(np.ones(8, np.float32), "scale")]
    graph = helper.make_graph(nodes, "g", value[:2], value[2:], weights)
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "g.onnx")
    options = _options(DEFAULT)
    options.optimized_model_filepath = str(tmp_path / "made.onnx")
    onnxruntime.InferenceSession(tmp_path / "g.onnx", options)
    made = onnx.load(tmp_path / "made.onnx").graph.node
    assert [node.op_type for node in made] == ["Add", "LayerNormalization"]
