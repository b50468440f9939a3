"""What a graph computes and reads, against what can be reckoned by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.symbolic import evaluated
from export.work import bundle_work
from runtime.bundle import Bundle
from speech.errors import BadInput
from tests.bench.conftest import write_tiny_bundle


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("(((frames - 1)//2)) + 1", 150),
        ("Min(150, frames)", 150),
        ("Max(0, -Min(48, past) + Min(48, tokens + past))", 3),
        ("2*(((frames - 400)//640)) - 2", -4),
        ("frames", 300),
    ],
)
def test_sizes_are_what_the_formula_says(formula: str, value: int) -> None:
    assert evaluated(formula, {"frames": 300, "past": 5, "tokens": 3}) == value


@pytest.mark.parametrize("formula", ["?", "unheard", "open('x')", "2**9", "1/2", "a.b", "1//0", ""])
def test_anything_else_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match="cannot be computed"):
        evaluated(formula, {"a": 1})


def test_a_convolution_is_counted_to_the_last_product(tmp_path: Path) -> None:
    """The tiny bundle: 4 filters of 400 samples, every 320 of them."""
    folder = write_tiny_bundle(tmp_path / "tiny", "tiny")
    told = onnx.load(folder / "model.onnx")
    for name, dims in (
        ("symbols", [1, 4, "(samples-400)//320+1"]),
        ("channels", [1, 1, "samples"]),
    ):
        told.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
    onnx.save(told, folder / "model.onnx")
    bundle = Bundle(folder, Bundle.open(write_tiny_bundle(tmp_path / "other", "o")).manifest)
    frames = (2 * 16_000 - 400) // 320 + 1
    work = bundle_work(bundle, audio_seconds=2.0)
    assert work.operations == {"fp32": 2 * frames * 4 * 400}
    assert work.bytes == 4 * 4 * 400 + 8  # the filters, and an axis


def test_a_graph_that_hides_its_sizes_is_one_sentence(tmp_path: Path) -> None:
    bundle = Bundle.open(write_tiny_bundle(tmp_path / "tiny", "tiny"))
    with pytest.raises(BadInput, match=r"tiny computes cannot be counted .*'symbols'.*export it"):
        bundle_work(bundle, audio_seconds=1.0)


def test_a_file_that_is_no_graph_is_one_sentence(tmp_path: Path) -> None:
    bundle = Bundle.open(write_tiny_bundle(tmp_path / "tiny", "tiny"))
    bundle.graph("model").write_bytes(bytes(bundle.graph("model").stat().st_size))
    with pytest.raises(BadInput, match=r"tiny computes cannot be counted \(model\.onnx is no ONNX"):
        bundle_work(bundle, audio_seconds=1.0)


def test_attention_sees_what_came_before_and_small_numbers_count_as_such(tmp_path: Path) -> None:
    from export.work import _Graph

    weights = numpy_helper.from_array(np.zeros((8, 8), np.uint8), "w")
    nodes = [
        helper.make_node("MatMulInteger", ["q", "w"], ["p"]),
        helper.make_node("MatMulNBits", ["q", "w"], ["n"], K=8, N=8, domain="com.microsoft"),
        helper.make_node(
            "MultiHeadAttention", ["q", "k", "v", "", "", "", "old", "old"], ["a"],
            num_heads=2, domain="com.microsoft",
        ),
    ]  # fmt: skip

    def value(name: str, *dims: object) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))

    inputs = [value(name, 1, "new", 8) for name in "qkv"] + [value("old", 1, 2, "past", 4)]
    outputs = [value(name, 1, "new", 8) for name in "pna"]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weights])
    onnx.save(helper.make_model(graph), tmp_path / "g.onnx")
    work = _Graph(tmp_path / "g.onnx").work({"new": 3, "past": 10})
    assert work.operations == {"int8": 2 * (2 * 3 * 8 * 8), "fp32": 4 * 3 * 8 * 13}
    assert work.bytes == 64
