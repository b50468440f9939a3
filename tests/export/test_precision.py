"""Graphs with rounded weights: what those mean, what they weigh, and that the graphs still hear."""

import copy
import dataclasses
import functools
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.precision import PRECISIONS, graph_precisions, write_precision
from export.whisper_graph import write_decoder
from prune.pruner import Pruner
from runtime.bundle import ROLES, Bundle
from runtime.recognizer import open_recognizer
from runtime.whisper import WhisperRecognizer
from speech.corpora import open_corpus
from speech.errors import BadInput
from speech.scoring import score
from tests.export.exported import bundle_of, demo, noise, sew, sew_d, wav2vec2, whisper
from tests.export.rounded import exact_matrices, in_precision, meant, weights_in
from tests.export.test_graphs import cut_head, cut_neurons

Floats = NDArray[np.float32]
ROUNDED: Any = ("int8", "int4")
DEMOS = ("demo-whisper", "demo-sew")

_PLACE = tempfile.TemporaryDirectory(prefix="secateur-tests-")
_FOLDER = Path(_PLACE.name)


@functools.cache
def half_pruned(name: str) -> Bundle:
    pruner = Pruner(name)
    pruner.prune(0.5, method="mp_local")
    return bundle_of(pruner.checkpoint, _FOLDER / f"{name}-pruned")


@functools.cache
def uneven() -> Bundle:
    """A head and neurons fewer in some layers, and an embedding that is not tied."""
    checkpoint, _ = whisper()
    model = copy.deepcopy(checkpoint.model)
    cut_head(model.model.encoder.layers[0].self_attn)
    cut_head(model.model.decoder.layers[0].self_attn)
    cut_neurons(model.model.decoder.layers[1])
    model.config.tie_word_embeddings = False
    model.proj_out.weight = torch.nn.Parameter(model.proj_out.weight.detach() * 1.5)
    return bundle_of(dataclasses.replace(checkpoint, model=model), _FOLDER / "uneven")


@functools.cache
def word_errors(name: str, precision: str) -> float:
    """In a hundred words of the 200 test clips."""
    corpus = open_corpus("demo:test")
    rounded = in_precision(demo(name), precision, Path(tempfile.mkdtemp(dir=_FOLDER)))
    recognizer = open_recognizer(rounded)
    heard = [recognizer.transcribe(clip.samples()).text for clip in corpus.clips]
    said = [clip.text for clip in corpus.clips]
    return 100 * score(said, heard, normalizer=corpus.normalizer).wer


def product_graph(weight: Floats, path: Path, bias: Floats | None = None) -> Path:
    """A file that multiplies by `weight`, and adds `bias`."""
    stored = {"layer.weight": weight} | ({} if bias is None else {"layer.bias": bias})
    nodes = [
        helper.make_node("MatMul", ["x", "layer.weight"], ["y" if bias is None else "product"])
    ]
    if bias is not None:
        nodes.append(helper.make_node("Add", ["product", "layer.bias"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", weight.shape[1]])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def run(path: Path, **given: NDArray[Any]) -> list[NDArray[Any]]:
    found: list[NDArray[Any]] = onnxruntime.InferenceSession(path).run(None, given)
    return found


def test_every_graph_of_a_family_gets_a_precision() -> None:
    for family, precisions in PRECISIONS.items():
        assert all(graphs.keys() == ROLES[family] for graphs in precisions.values())
        assert set(graph_precisions(family, "fp32").values()) == {"fp32"}
    assert graph_precisions("whisper", "mixed") == {"encoder": "int8", "decoder": "int4"}


def test_what_a_family_lacks_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^'mixed' .* one graph: choose fp32, fp16, int8, int4\.$"):
        graph_precisions("ctc", "mixed")
    with pytest.raises(BadInput, match=r"^'int2' is no precision: choose fp32, .*, mixed\.$"):
        graph_precisions("whisper", "int2")


@pytest.mark.parametrize("name", DEMOS)
def test_pruned_weights_stay_exactly_zero(name: str, tmp_path: Path) -> None:
    bundle = half_pruned(name)
    for role in bundle.manifest.graphs:
        exact = exact_matrices(bundle.graph(role))
        for precision in ROUNDED:
            write_precision(bundle.graph(role), tmp_path / "rounded.onnx", precision)
            found = meant(tmp_path / "rounded.onnx")
            zeros = {key: exact[key] == 0 for key in found}
            assert sum(np.mean(zero) > 0.4 for zero in zeros.values()) > 10
            for key, weight in found.items():
                assert not weight[: len(exact[key])][zeros[key]].any(), key
                assert not weight[len(exact[key]) :].any(), key


@pytest.mark.parametrize(("precision", "far"), [("int8", 0.51), ("int4", 1.01)])
def test_other_weights_move_by_little(precision: Any, far: float, tmp_path: Path) -> None:
    """By half a step, which the largest of a block may exceed in 4 bits: 8 steps are not 7."""
    bundle = whisper()[1]
    for role in bundle.manifest.graphs:
        exact = exact_matrices(bundle.graph(role))
        write_precision(bundle.graph(role), tmp_path / "rounded.onnx", precision)
        stored = weights_in(tmp_path / "rounded.onnx")
        for key, weight in meant(tmp_path / "rounded.onnx").items():
            moved = np.abs(weight[: len(exact[key])] - exact[key])
            steps = np.abs(stored[f"{key}.scales"].T)
            if stored[f"{key}.codes"].ndim == 3:
                steps = np.repeat(steps, 32, axis=0)[: len(exact[key])]
            assert np.all(moved <= far * steps), key
            assert np.mean(moved <= 0.51 * steps) > 0.97, key


@pytest.mark.parametrize("inputs", [32, 36, 5])
@pytest.mark.parametrize("precision", ROUNDED)
def test_onnxruntime_takes_the_codes_for_the_same_weights(
    precision: Any, inputs: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(inputs)
    weight = rng.standard_normal((inputs, 7)).astype(np.float32)
    bias = rng.standard_normal(7).astype(np.float32)
    graph = product_graph(weight, tmp_path / "exact.onnx", bias)
    write_precision(graph, tmp_path / "rounded.onnx", precision)
    (found,) = run(tmp_path / "rounded.onnx", x=np.eye(inputs, dtype=np.float32))
    expected = meant(tmp_path / "rounded.onnx")["layer.weight"][:inputs] + bias
    assert np.abs(found - expected).max() < 1e-5
    assert 0.001 < np.abs(found - bias - weight).max() < 0.3


@pytest.mark.parametrize("precision", ROUNDED)
def test_an_output_without_weights_gives_its_bias(precision: Any, tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((36, 4)).astype(np.float32)
    weight[:, 1] = 0
    weight[:, 2] = 2e-43
    bias = np.array([1, 2, 3, 4], np.float32)
    graph = product_graph(weight, tmp_path / "exact.onnx", bias)
    write_precision(graph, tmp_path / "rounded.onnx", precision)
    (found,) = run(tmp_path / "rounded.onnx", x=np.full((2, 36), 0.5, np.float32))
    assert np.isfinite(found).all()
    assert (found[:, 1:3] == bias[1:3]).all()


@pytest.mark.parametrize("precision", ROUNDED)
@pytest.mark.parametrize("tied", [whisper, lambda: (None, demo("demo-whisper"))])
def test_an_embedding_is_a_column_of_the_rounded_table(
    tied: Any, precision: Any, tmp_path: Path
) -> None:
    """Bit for bit; the width of the demo is no multiple of 32."""
    bundle = tied()[1]
    write_precision(bundle.graph("decoder"), tmp_path / "d.onnx", precision)
    model = onnx.load(tmp_path / "d.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="index_select"))
    onnx.save(model, tmp_path / "watched.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "watched.onnx")
    tokens = np.array([[7, 250, 7, 0]])
    given = {
        i.name: np.zeros([3 if isinstance(size, str) else size for size in i.shape], np.float32)
        for i in session.get_inputs()
        if i.name != "tokens"
    }
    (embedded,) = session.run(["index_select"], {"tokens": tokens, **given})
    table = meant(tmp_path / "d.onnx")["table"]
    exact = weights_in(bundle.graph("decoder"))["table"]
    assert embedded.shape == (len(exact), 4)
    assert np.array_equal(embedded, table[: len(exact), tokens[0]])
    assert np.corrcoef(embedded.ravel(), exact[:, tokens[0]].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("precision", ROUNDED)
@pytest.mark.parametrize("name", DEMOS)
def test_a_file_is_as_small_as_its_weights(name: str, precision: Any, tmp_path: Path) -> None:
    """A byte a weight or half of one, and the scales; a CTC model's convolutions are left."""
    for role in demo(name).manifest.graphs:
        exact, out = demo(name).graph(role), tmp_path / f"{role}.onnx"
        write_precision(exact, out, precision)
        before, after = exact_matrices(exact), weights_in(out)
        shapes = {key: before[key].shape for key in meant(out)}
        assert all(
            key in shapes for key in before if key.endswith(("_proj.weight", "conv2.weight"))
        )
        rounded = sum(
            inputs * outputs + 4 * outputs
            if precision == "int8" or "conv" in key
            else -(-inputs // 32) * outputs * (16 + 4)
            for key, (inputs, outputs) in shapes.items()
        )
        expected = exact.stat().st_size - 4 * sum(map(np.prod, shapes.values())) + rounded
        assert expected <= out.stat().st_size < 1.02 * expected + 8_000
        left = {k: w for k, w in after.items() if w.dtype == np.float32 and w.nbytes > 4_000}
        kept = ("positions", ".scales", *(["conv"] if role == "model" else []))
        assert all(any(part in key for part in kept) for key in left), left


@pytest.mark.parametrize(
    ("family", "precision"),
    [
        *(
            (family, precision)
            for family in (whisper, sew, sew_d, wav2vec2)
            for precision in ROUNDED
        ),
        (whisper, "mixed"),
    ],
)
def test_every_family_still_listens_and_nothing_is_said_of_it(
    family: Any, precision: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = family()[1]
    handlers = list(logging.getLogger().handlers)
    recognizer = open_recognizer(in_precision(bundle, precision, tmp_path))
    assert recognizer.transcribe(noise(4, 2.0)).tokens
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    assert all(path.suffix == ".onnx" for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("precision", "likeness"), [("int8", 0.999), ("int4", 0.9), ("mixed", 0.9)]
)
def test_uneven_layers_and_an_untied_embedding(
    precision: str, likeness: float, tmp_path: Path
) -> None:
    """The embedding that no product reads stays in fp32."""
    rounded = in_precision(uneven(), precision, tmp_path)
    assert "decoder.embed_tokens.weight" in weights_in(rounded.graph("decoder"))
    shapes = {weight.shape for weight in weights_in(uneven().graph("decoder")).values()}
    assert {(24, 32), (32, 24), (54, 32), (32, 54)} <= shapes
    exact, found = (logits_of(WhisperRecognizer(bundle)) for bundle in (uneven(), rounded))
    assert np.corrcoef(exact, found)[0, 1] > likeness


def logits_of(recognizer: WhisperRecognizer) -> Floats:
    cross = recognizer.encode(recognizer.features(noise(3, 2.0)))
    return recognizer.step(list(range(30, 50)), recognizer.start(), cross)[0]


@pytest.mark.parametrize("precision", ROUNDED)
def test_the_same_graph_gives_the_same_bytes(precision: Any, tmp_path: Path) -> None:
    graph, written = whisper()[1].graph("decoder"), []
    for out in (tmp_path / "a.onnx", tmp_path / "b.onnx"):
        write_precision(graph, out, precision)
        written.append(out.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("precision", ROUNDED)
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_named(precision: Any, broken: float, tmp_path: Path) -> None:
    model = copy.deepcopy(whisper()[0].model)
    with torch.no_grad():
        model.model.decoder.layers[1].fc2.weight[3, 5] = broken
    write_decoder(model, tmp_path / "broken.onnx")
    with pytest.raises(BadInput, match=r"in decoder\.layers\.1\.fc2\.weight"):
        write_precision(tmp_path / "broken.onnx", tmp_path / "out.onnx", precision)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("content", [b"no graph", bytes(64)])
def test_a_file_that_is_no_graph_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(BadInput, match=r"broken\.onnx cannot be read as an ONNX graph"):
        write_precision(tmp_path / "broken.onnx", tmp_path / "out.onnx", "int8")


def test_a_rounded_graph_is_not_rounded_again(tmp_path: Path) -> None:
    write_precision(whisper()[1].graph("decoder"), tmp_path / "a.onnx", "int8")
    with pytest.raises(BadInput, match="no fp32 weights to round"):
        write_precision(tmp_path / "a.onnx", tmp_path / "b.onnx", "int4")


@pytest.mark.parametrize(
    ("name", "precision", "points"),
    [
        ("demo-whisper", "int8", 1.0),
        ("demo-whisper", "int4", 1.5),
        ("demo-whisper", "mixed", 1.5),
        ("demo-sew", "int8", 1.0),
        ("demo-sew", "int4", 1.5),
    ],
)
def test_the_demo_models_hear_as_well_as_before(name: str, precision: str, points: float) -> None:
    assert abs(word_errors(name, precision) - word_errors(name, "fp32")) <= points
