"""A graph and its packed weights hear exactly what the ordinary ONNX file hears."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.weightless import LOCATION, write_weightless
from runtime import session
from runtime.packed.graph import WeightlessGraph
from runtime.packed.pipe import piped
from runtime.packed.reader import PackedFile
from runtime.packed.writer import write_packed
from runtime.session import open_session
from speech.errors import BadInput
from tests.export.exported import sew, sew_d, wav2vec2, whisper

Arrays = dict[str, NDArray[Any]]

GRAPHS = [
    (whisper, "encoder"),
    (whisper, "decoder"),
    *((family, "model") for family in (sew, sew_d, wav2vec2)),
]

#: Sizes for the axes that have a name.
SIZES = {"frames": 100, "tokens": 3, "past": 5, "heard": 50}


@pytest.fixture(params=["streamed", "lent"])
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which a session can take weights."""
    if request.param == "streamed" and not session.READS_PIPES:
        pytest.skip("this onnxruntime cannot read a pipe that its process fills")
    monkeypatch.setattr(session, "READS_PIPES", request.param == "streamed")
    return str(request.param)


def outputs(opened: Any) -> list[NDArray[Any]]:
    rng = np.random.default_rng(0)
    feeds = {}
    for wanted in opened.get_inputs():
        shape = [n if isinstance(n, int) else SIZES.get(n, 4000) for n in wanted.shape]
        whole = wanted.type == "tensor(int64)"
        feeds[wanted.name] = (
            rng.integers(0, 30, shape) if whole else rng.standard_normal(shape).astype(np.float32)
        )
    found: list[NDArray[Any]] = opened.run(None, feeds)
    return found


def same(ones: list[NDArray[Any]], others: list[NDArray[Any]]) -> bool:
    pairs = zip(ones, others, strict=True)
    return all(
        one.shape == other.shape and one.tobytes() == other.tobytes() for one, other in pairs
    )


@pytest.mark.parametrize(("family", "role"), GRAPHS)
@pytest.mark.parametrize("zstd", [None, 3])
def test_the_same_logits_to_the_bit(
    tmp_path: Path, route: str, family: Any, role: str, zstd: int | None
) -> None:
    source = family()[1].graph(role)
    graph, weights = tmp_path / "graph.onnx", tmp_path / "weights.safetensors"
    packed = write_weightless(source, graph, weights, zstd=zstd)
    assert packed.size == weights.stat().st_size
    split = open_session(graph, weights)
    expected = outputs(open_session(source))
    weights.unlink()
    assert same(outputs(split), expected)
    assert same(outputs(split), expected), "and also once memory was used for other things"


@pytest.mark.parametrize(("family", "role"), GRAPHS)
def test_graph_and_weights_join_to_the_ordinary_file(
    tmp_path: Path, family: Any, role: str
) -> None:
    source = family()[1].graph(role)
    graph, weights = tmp_path / "graph.onnx", tmp_path / "weights.safetensors"
    write_weightless(source, graph, weights, least_bytes=64)
    joined = b"".join(WeightlessGraph.open(graph).joined(PackedFile.open(weights)))
    assert onnx.load_model_from_string(joined) == onnx.load(source)


def test_only_large_weights_leave_the_graph(tmp_path: Path) -> None:
    source = whisper()[1].graph("decoder")
    write_weightless(source, tmp_path / "g", tmp_path / "w", least_bytes=2000)
    before = onnx.load(source).graph.initializer
    after = onnx.load(tmp_path / "g", load_external_data=False).graph.initializer
    large = {t.name for t in before if numpy_helper.to_array(t).nbytes >= 2000}
    assert 0 < len(large) < len(before)
    assert set(PackedFile.open(tmp_path / "w").names()) == large
    for one, other in zip(before, after, strict=True):
        assert (one.name, one.data_type, one.dims) == (other.name, other.data_type, other.dims)
        assert (other.data_location == TensorProto.EXTERNAL) == (one.name in large)
        assert bool(other.raw_data) == (one.name not in large)


def test_the_bytes_are_always_the_same(tmp_path: Path) -> None:
    source = sew()[1].graph("model")
    for place in ("a", "b"):
        write_weightless(source, tmp_path / f"{place}.g", tmp_path / f"{place}.w")
    for kind in ("g", "w"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_half_precision_on_disk(tmp_path: Path, route: str) -> None:
    source = whisper()[1].graph("encoder")
    full = write_weightless(source, tmp_path / "g", tmp_path / "w")
    small = write_weightless(source, tmp_path / "g", tmp_path / "h", half="all")
    assert small.full_precision == () and small.size < 0.6 * full.size
    found, expected = (outputs(open_session(tmp_path / "g", tmp_path / w)) for w in ("h", "w"))
    assert all(np.abs(one - other).max() < 0.05 for one, other in zip(found, expected, strict=True))
    assert not same(found, expected)


def tiny(path: Path, weight: NDArray[Any]) -> Path:
    """A graph that multiplies by one weight, in a type that onnxruntime can multiply."""
    weight = np.asarray(weight)
    kind = helper.np_dtype_to_tensor_dtype(weight.dtype)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["weight", "rows"], ["out"], axis=0)],
        "tiny",
        [helper.make_tensor_value_info("rows", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("out", kind, None)],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool", "uint16"],
)
def test_weights_of_every_type(tmp_path: Path, route: str, dtype: str) -> None:
    weight = np.random.default_rng(0).integers(0, 2, (31, 77)).astype(dtype)
    source = tiny(tmp_path / "tiny.onnx", weight)
    write_weightless(source, tmp_path / "g", tmp_path / "w")
    assert PackedFile.open(tmp_path / "w").names() == ("weight",)
    found = open_session(tmp_path / "g", tmp_path / "w").run(None, {"rows": np.array([4, 30])})
    assert found[0].dtype == dtype and np.array_equal(found[0], weight[[4, 30]])


def test_a_graph_without_large_weights(tmp_path: Path, route: str) -> None:
    source = tiny(tmp_path / "tiny.onnx", np.arange(6.0).reshape(2, 3))
    write_weightless(source, tmp_path / "g", tmp_path / "w")
    found = open_session(tmp_path / "g", tmp_path / "w").run(None, {"rows": np.array([1, 0])})
    assert np.array_equal(found[0], [[3, 4, 5], [0, 1, 2]])


def complaint(graph: Path, weights: Path | None) -> str:
    with pytest.raises(BadInput) as caught:
        open_session(graph, weights)
    sentence = str(caught.value)
    assert "\n" not in sentence and "/dev/fd" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda arrays: arrays.pop("weight"), "has no array 'weight', which"),
        (lambda arrays: arrays.update(more=np.ones(3)), "has an array 'more', which"),
        (lambda arrays: arrays.update(weight=arrays["weight"].T), "float32 [70, 50], where"),
        (lambda arrays: arrays.update(weight=arrays["weight"][:-1]), "float32 [49, 70], where"),
        (lambda arrays: arrays.update(weight=arrays["weight"].view("i4")), "int32 [50, 70], where"),
        (lambda arrays: arrays.update(weight=arrays["weight"].astype("f2")), "asks for float32"),
    ],
)
def test_weights_of_another_graph(
    tmp_path: Path, route: str, edit: Callable[[Arrays], object], fault: str
) -> None:
    weight = np.random.default_rng(0).standard_normal((50, 70)).astype(np.float32)
    graph, weights = tmp_path / "graph.onnx", tmp_path / "w.safetensors"
    write_weightless(tiny(tmp_path / "tiny.onnx", weight), graph, weights)
    arrays = {"weight": weight}
    edit(arrays)
    write_packed(weights, arrays)
    sentence = complaint(graph, weights)
    assert fault in sentence and str(graph) in sentence and str(weights) in sentence


def test_a_graph_without_its_weights(tmp_path: Path, route: str) -> None:
    source = tiny(tmp_path / "tiny.onnx", np.ones((50, 70)))
    graph, weights = tmp_path / "graph.onnx", tmp_path / "w.safetensors"
    write_weightless(source, graph, weights)
    assert LOCATION in complaint(graph, None)
    assert "has an array 'weight', which" in complaint(source, weights)
    weights.unlink()
    assert str(weights) in complaint(graph, weights)
    assert "absent.onnx" in complaint(tmp_path / "absent.onnx", weights)


def test_a_fault_found_only_while_the_weights_are_read(tmp_path: Path, route: str) -> None:
    """It ends both the reading and the writing of a stream, and is what the user is told."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((999, 999)) * (rng.random((999, 999)) < 0.3)
    graph, weights = tmp_path / "graph.onnx", tmp_path / "w.safetensors"
    write_weightless(tiny(tmp_path / "tiny.onnx", weight), graph, weights)
    data = bytearray(weights.read_bytes())
    bitmask = 8 + int.from_bytes(data[:8], "little")
    data[bitmask + 999] ^= 16
    weights.write_bytes(data)
    assert "'weight'" in complaint(graph, weights)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"\xff" + data[1:],
        lambda data: data[:-1],
        lambda data: data.replace(b"\x22\x06Gather", b"\x22\x06Father"),
        lambda data: data.replace(b"\x22\x06Gather", b"\x00\x06Gather"),
        lambda data: data.replace(b"\x22\x06Gather", b"\x22\x7fGather"),
    ],
)
def test_a_damaged_graph_ends_with_a_sentence(
    tmp_path: Path, route: str, damage: Callable[[bytes], bytes]
) -> None:
    """Also where only onnxruntime sees the damage and stops reading the weights that follow."""
    weight = np.ones((999, 999))
    graph, weights = tmp_path / "graph.onnx", tmp_path / "w.safetensors"
    write_weightless(tiny(tmp_path / "tiny.onnx", weight), graph, weights)
    data = graph.read_bytes()
    graph.write_bytes(damage(data))
    assert graph.read_bytes() != data
    assert str(graph) in complaint(graph, weights)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_graph_with_any_bytes_is_taken_apart_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = tmp_path_factory.getbasetemp()
    good, weights, path = base / "good.onnx", base / "good.w", base / "damaged.onnx"
    if not good.exists():
        source = tiny(base / "source.onnx", np.ones((40, 40)))
        write_weightless(source, good, weights)
    sound = good.read_bytes()
    at = data.draw(st.integers(0, len(sound) - 1))
    path.write_bytes(sound[:at] + data.draw(st.binary(max_size=3)) + sound[at + 1 :])
    try:
        WeightlessGraph.open(path).check(PackedFile.open(weights))
    except BadInput as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    source = tiny(tmp_path / "tiny.onnx", np.ones((50, 70)))
    write_weightless(source, tmp_path / "g", tmp_path / "w")
    with pytest.raises(BadInput, match="keeps 'weight' in another file"):
        write_weightless(tmp_path / "g", tmp_path / "g2", tmp_path / "w2")


def test_a_pipe_that_nobody_reads_to_its_end() -> None:
    with pytest.raises(BrokenPipeError, match="not read"), piped([bytes(1 << 20)] * 9):
        pass


OPEN = """
import json, pathlib, sys
from runtime.session import open_session
def kib(key):
    status = dict(line.split(":") for line in open("/proc/self/status"))
    return int(status[key].split()[0])
before = kib("VmHWM")
open_session(*map(pathlib.Path, sys.argv[1:]))
print(json.dumps(kib("VmHWM") - before))
"""


def peak(*arguments: object) -> int:
    """KiB that opening a session adds to what a fresh process needs anyway."""
    command = [sys.executable, "-c", OPEN, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


@pytest.mark.skipif(not session.READS_PIPES, reason="weights are lent, which costs memory")
def test_no_more_memory_than_for_the_ordinary_file(tmp_path: Path) -> None:
    """Of weights that are lent instead of streamed, onnxruntime would hold everything twice."""
    rng = np.random.default_rng(0)
    weights = {f"w{i}": rng.standard_normal((1024, 1024)).astype(np.float32) for i in range(16)}
    for weight in weights.values():
        weight[rng.random(weight.shape) < 0.7] = 0
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(16)]
    ends = [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", 1024]) for x in ("x0", "x16")]
    initializers = [numpy_helper.from_array(weight, name) for name, weight in weights.items()]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    source = tmp_path / "large.onnx"
    source.write_bytes(model.SerializeToString())
    write_weightless(source, tmp_path / "g", tmp_path / "w")
    ordinary = min(peak(source) for _ in range(3))
    packed = min(peak(tmp_path / "g", tmp_path / "w") for _ in range(3))
    assert ordinary > 60_000
    assert packed < 1.15 * ordinary
