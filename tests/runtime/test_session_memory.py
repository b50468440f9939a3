"""How much memory a run takes: that of what is needed at once, in one arena for all sessions."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peaks are reset by Linux alone")

#: Shape of what goes from layer to layer, and its bytes.
_ROWS, _WIDTH = 1000, 512
_ONE = 4 * _ROWS * _WIDTH

_RUN = """
import json, sys
from pathlib import Path
import numpy as np
from bench.agent.memory import read_memory
from runtime.session import open_session

sessions = [open_session(Path(name)) for name in sys.argv[1:]]
given = {"given": np.zeros((1000, 512), np.float32)}
peaks = []
for session in sessions:
    session.run(None, {"given": given["given"][:1]})
    Path("/proc/self/clear_refs").write_text("5")
    before = read_memory().peak_bytes
    session.run(None, given)
    peaks.append(read_memory().peak_bytes - before)
print(json.dumps(peaks))
"""


def _graph(path: Path, *, layers: int = 4) -> str:
    """Layers that need two pieces of 4 times the width at once, and later three of 3 times."""
    weights, nodes, here = [], [], "given"
    for kind, width in (("wide", 4), ("less", 3)):
        shape = (_WIDTH, width * _WIDTH)
        for name, dims in ((f"{kind}.up", shape), (f"{kind}.down", shape[::-1])):
            zeros = bytes(4 * shape[0] * shape[1])
            weights.append(helper.make_tensor(name, TensorProto.FLOAT, dims, zeros, raw=True))
    for layer in range(layers):
        names = [f"{layer}.{number}" for number in range(7)]
        nodes += [
            helper.make_node("MatMul", [here, "wide.up"], [names[0]]),
            helper.make_node("Tanh", [names[0]], [names[1]]),
            helper.make_node("MatMul", [names[1], "wide.down"], [names[2]]),
            helper.make_node("MatMul", [names[2], "less.up"], [names[3]]),
            helper.make_node("Tanh", [names[3]], [names[4]]),
            helper.make_node("Max", [names[3], names[4]], [names[5]]),
            helper.make_node("MatMul", [names[5], "less.down"], [names[6]]),
        ]
        here = names[6]
    given, gone = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", _WIDTH])
        for name in ("given", here)
    )
    graph = helper.make_graph(nodes, "layers", [given], [gone], weights)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return str(path)


def test_what_one_layer_needed_is_there_for_the_next_and_for_other_sessions(tmp_path: Path) -> None:
    graphs = [_graph(tmp_path / f"{name}.onnx") for name in "ab"]
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *graphs], capture_output=True, text=True, check=True
    )
    first, second = (peak / _ONE for peak in json.loads(done.stdout))
    assert 8 < first < 13
    assert second < 2
