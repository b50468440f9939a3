"""A bundle with a hand-made graph: real onnxruntime, real files, no training and no torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import MANIFEST, BundleFile, Manifest, Sparsity
from runtime.rules import CtcRules
from speech.corpora.corpus import Clip
from speech.score import Score

SYMBOLS = {"<pad>": 0, "|": 1, "a": 2, "b": 3}
SCORE = {
    "wer": 0.058,
    "wer_low": 0.046,
    "wer_high": 0.071,
    "cer": 0.021,
    "substitutions": 3,
    "insertions": 1,
    "deletions": 2,
    "clips": 20,
    "words": 103,
    "normalizer": "basic",
}


def write_graph(path: Path) -> None:
    """One strided convolution from the waveform to four symbols' logits."""
    weights = np.random.default_rng(0).normal(size=(4, 1, 400)).astype(np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "one"], ["channels"]),
        helper.make_node("Conv", ["channels", "weights"], ["symbols"], strides=[320]),
        helper.make_node("Transpose", ["symbols"], ["logits"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "ctc",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, [1, "samples"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "frames", 4])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([1]), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


def write_tiny_bundle(folder: Path, name: str) -> Path:
    """A CTC bundle whose checkpoint is 1,000 bytes that a device would leave behind."""
    (folder / "pytorch").mkdir(parents=True)
    write_graph(folder / "model.onnx")
    (folder / "vocab.json").write_text(json.dumps(SYMBOLS))
    (folder / "pytorch" / "model.safetensors").write_bytes(bytes(1000))
    paths = ("model.onnx", "vocab.json", "pytorch/model.safetensors")
    manifest = Manifest(
        name=name,
        family="ctc",
        architecture="sew",
        method="magnitude",
        sparsity=Sparsity(requested=0.7, achieved=0.701, model=0.6, layers={}),
        score=Score.from_json(SCORE),
        provenance={},
        features={"do_normalize": True},
        decoding=CtcRules(0, "|", "?", False, False, 400),
        precision="fp32",
        graphs={"model": "model.onnx"},
        weights={},
        tokenizer="vocab.json",
        files=tuple(BundleFile.of(folder, path) for path in paths),
    )
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json()))
    return folder


def make_greedy(bundle: Path) -> None:
    """Its graph wants two gigabytes on the way."""
    path = bundle / "model.onnx"
    model = onnx.load(path)
    size = numpy_helper.from_array(np.array([2**29]), "size")
    model.graph.initializer.append(size)
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    model.graph.node[0].input[0] = "louder"
    more = [
        helper.make_node("ConstantOfShape", ["size"], ["much"], value=zero),
        helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0),
        helper.make_node("Add", ["input_values", "most"], ["louder"]),
    ]
    for node in reversed(more):
        model.graph.node.insert(0, node)
    onnx.save(model, path)
    manifest = json.loads((bundle / MANIFEST).read_text())
    entry = BundleFile.of(bundle, "model.onnx")
    manifest["files"][0] |= {"size": entry.size, "sha256": entry.sha256}
    (bundle / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture(autouse=True)
def own_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run at the same time, and a device takes one job after another."""
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny", "tiny-magnitude-70")


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    return write_noises(tmp_path)


def write_noises(folder: Path) -> tuple[Clip, ...]:
    """Two noises, of one and two seconds."""
    random = np.random.default_rng(1)
    made = []
    for seconds in (1, 2):
        path = folder / f"{seconds}.flac"
        soundfile.write(path, random.uniform(-0.5, 0.5, 16_000 * seconds), 16_000)
        made.append(Clip(path.name, "turn on the light", path))
    return tuple(made)
