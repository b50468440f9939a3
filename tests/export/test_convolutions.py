"""Convolutions in 8 bits: the same windows, the same counts, and nothing turned twice."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.precision import write_precision
from export.work import bundle_work
from speech.features import normalise_waveform
from tests.export.exported import noise, sew, sew_d, wav2vec2, whisper
from tests.export.rounded import in_precision, meant, weights_in

Floats = NDArray[np.float32]
ACTIVATION = helper.make_node("Gelu", ["between"], ["active"])


def conv(given: str, weight: str, result: str, **settings: Any) -> onnx.NodeProto:
    return helper.make_node("Conv", [given, weight, f"{weight}.bias"], [result], **settings)


def write(path: Path, nodes: list[onnx.NodeProto], **weights: Floats) -> Path:
    """A file that hears `x` and says `y`; every weight has a bias."""
    rng = np.random.default_rng(0)
    biases = {
        f"{k}.bias": rng.standard_normal(len(w)).astype(np.float32) for k, w in weights.items()
    }
    channels = next(iter(weights.values())).shape[1] * (2 if "group" in str(nodes[0]) else 1)
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, "time"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in (weights | biases).items()],
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def drawn(*shape: int) -> Floats:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def run(path: Path, x: Floats) -> Floats:
    (found,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
    return np.asarray(found)


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("time", [20, 21, 22, 23])
@pytest.mark.parametrize(
    ("kernel", "stride", "pads"),
    [
        (1, 1, (0, 0)),
        (1, 2, (0, 0)),
        (2, 2, (0, 0)),
        (3, 1, (1, 1)),
        (3, 2, (1, 1)),
        (4, 3, (0, 2)),
    ],
)
def test_the_windows_are_those_of_the_convolution(
    kernel: int, stride: int, pads: tuple[int, int], time: int, tmp_path: Path
) -> None:
    """Whole numbers that fill a byte are not rounded: what is left is the rounding of weights."""
    x = np.random.default_rng(time).integers(-127, 128, (1, 5, time)).astype(np.float32)
    x[0, 0, :2] = -128, 127
    settings = {"kernel_shape": [kernel], "strides": [stride], "pads": pads}
    exact = write(tmp_path / "exact.onnx", [conv("x", "w", "y", **settings)], w=drawn(7, 5, kernel))
    write_precision(exact, tmp_path / "rounded.onnx", "int8")
    codes = meant(tmp_path / "rounded.onnx")["w"].reshape(kernel, 5, 7).transpose(2, 1, 0)
    same = write(tmp_path / "same.onnx", [conv("x", "w", "y", **settings)], w=codes)
    assert np.abs(codes - drawn(7, 5, kernel)).max() > 1e-4
    np.testing.assert_allclose(run(tmp_path / "rounded.onnx", x), run(same, x), atol=2e-3)


def test_a_chain_is_turned_once_and_back(tmp_path: Path) -> None:
    nodes = [conv("x", "a", "between", pads=[1, 1]), ACTIVATION, conv("active", "b", "y")]
    exact = write(tmp_path / "exact.onnx", nodes, a=drawn(6, 4, 3), b=drawn(5, 6, 2))
    write_precision(exact, tmp_path / "rounded.onnx", "int8")
    kinds = operators(tmp_path / "rounded.onnx")
    assert kinds["Conv"] == 0 and kinds["Gelu"] == 1 and kinds["Transpose"] == 2
    found, expected = (
        run(tmp_path / f"{name}.onnx", drawn(1, 4, 50)) for name in ("rounded", "exact")
    )
    assert found.shape == expected.shape
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    ("settings", "shape"),
    [({"group": 2}, (6, 2, 3)), ({"dilations": [2]}, (6, 4, 3)), ({}, (6, 1, 3))],
    ids=["in groups", "with gaps", "of one channel"],
)
def test_what_would_not_gain_stays_as_it_is(
    settings: dict[str, Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    nodes = [conv("x", "a", "between", **settings), ACTIVATION, conv("active", "b", "y")]
    exact = write(tmp_path / "exact.onnx", nodes, a=drawn(*shape), b=drawn(5, 6, 2))
    write_precision(exact, tmp_path / "rounded.onnx", "int8")
    assert operators(tmp_path / "rounded.onnx")["Conv"] == 1
    assert np.array_equal(weights_in(tmp_path / "rounded.onnx")["a"], drawn(*shape))


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("family", [whisper, sew, sew_d, wav2vec2])
def test_as_much_is_computed_as_before(family: Any, precision: str, tmp_path: Path) -> None:
    bundle = family()[1]
    rounded = in_precision(bundle, precision, tmp_path)
    before, after = (
        bundle_work(each, audio_seconds=2.0, tokens=5).operations for each in (bundle, rounded)
    )
    assert sum(after.values()) == sum(before.values()) == before["fp32"]
    assert after["int8"] > 0


@pytest.mark.parametrize("family", [sew, sew_d, wav2vec2])
def test_quiet_speech_after_loud_is_heard_in_8_bits_as_before(family: Any, tmp_path: Path) -> None:
    bundle = family()[1]
    rounded = in_precision(bundle, "int8", tmp_path)
    sound = noise(5, 4.0)
    sound[len(sound) // 2 :] *= 0.02
    given = {"input_values": normalise_waveform(sound)[None]}
    exact, found = (
        onnxruntime.InferenceSession(each.graph("model")).run(None, given)[0][0]
        for each in (bundle, rounded)
    )
    quiet = slice(len(exact) * 5 // 8, None)
    assert np.corrcoef(exact[quiet].ravel(), found[quiet].ravel())[0, 1] > 0.98
