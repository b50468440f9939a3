"""The graphs themselves: any length, weights kept once, zeros kept zero, uneven layers."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from export.ctc_graph import shortest_audio, write_ctc
from export.parity import check_parity
from runtime.whisper import WhisperRecognizer
from speech.errors import BadInput
from tests.export.exported import bundle_of, noise, sew, sew_d, wav2vec2, whisper
from tests.export.rounded import weights_in
from tests.tiny_models import CTC_SHAPE


@pytest.mark.parametrize("frames", [400, 398, 102, 6])
def test_the_encoder_takes_any_count_of_frames(frames: int) -> None:
    checkpoint, bundle = whisper()
    mel = np.random.default_rng(frames).standard_normal((80, frames)).astype(np.float32)
    found = WhisperRecognizer(bundle).encode(mel)
    attention = checkpoint.model.model.decoder.layers[1].encoder_attn
    heard = shortened(checkpoint.model, frames)(torch.from_numpy(mel)[None])[0]
    for kind, project, axes in (
        ("key", attention.k_proj, (0, 3, 1, 2)),
        ("value", attention.v_proj, (0, 2, 1, 3)),
    ):
        expected = project(heard).detach().numpy()
        merged = found[f"cross_{kind}_1"].numpy().transpose(axes).reshape(expected.shape)
        assert np.abs(merged - expected).max() < 1e-4


def shortened(model: Any, frames: int) -> Any:
    """transformers' own encoder with as many positions as the frames fill; it insists on that."""
    encoder = copy.deepcopy(model.model.encoder)
    positions = frames // 2
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(
        encoder.embed_positions.weight[:positions]
    )
    encoder.config.max_source_positions = positions
    return encoder


def test_the_decoder_gives_the_same_in_one_piece_or_in_steps() -> None:
    recognizer = WhisperRecognizer(whisper()[1])
    cross = recognizer.encode(recognizer.features(noise(3, 2.0)))
    tokens = list(range(30, 50))
    whole, _ = recognizer.step(tokens, recognizer.start(), cross)
    past = recognizer.start()
    for piece in (tokens[:1], tokens[1:8], tokens[8:9], tokens[9:]):
        last, past = recognizer.step(piece, past, cross)
    assert np.abs(whole - last).max() < 1e-5
    assert {value.shape()[2] for value in past.values()} == {len(tokens)}


def test_the_tied_embedding_is_stored_once_and_ready_to_multiply() -> None:
    bundle = whisper()[1]
    words = whisper()[0].model.config.vocab_size
    tables = [w.shape for w in weights_in(bundle.graph("decoder")).values() if words in w.shape]
    assert tables == [(32, words)]


@pytest.mark.parametrize("family", [whisper, sew, sew_d, wav2vec2])
def test_no_weight_waits_behind_a_transpose(family: Any) -> None:
    bundle = family()[1]
    for path in map(bundle.graph, bundle.manifest.graphs):
        model = onnx.load(path)
        weights = {weight.name for weight in model.graph.initializer}
        waiting = [
            n.name for n in model.graph.node if n.op_type == "Transpose" and n.input[0] in weights
        ]
        assert not waiting


@pytest.mark.parametrize("family", [whisper, sew, sew_d, wav2vec2])
def test_a_graph_names_no_source_file(family: Any) -> None:
    bundle = family()[1]
    for path in map(bundle.graph, bundle.manifest.graphs):
        assert b".py" not in path.read_bytes()


def test_a_pruned_half_precision_model_with_uneven_layers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Zeros, no head or layer where others have one, an untied embedding: all exported quietly."""
    dense, _ = whisper()
    model = copy.deepcopy(dense.model)
    del model.model.encoder.layers[1]
    cut_head(model.model.encoder.layers[0].self_attn)
    cut_head(model.model.decoder.layers[0].self_attn)
    cut_head(model.model.decoder.layers[1].encoder_attn)
    cut_neurons(model.model.decoder.layers[1])
    model.config.tie_word_embeddings = False
    model.proj_out.weight = torch.nn.Parameter(model.proj_out.weight.detach() * 1.5)
    with torch.no_grad():
        for layer in (m for m in model.modules() if isinstance(m, torch.nn.Linear)):
            if layer is not model.proj_out:
                layer.weight[layer.weight.abs() < 0.2] = 0
    model.half()
    bundle = bundle_of(dataclasses.replace(dense, model=model), tmp_path / "pruned")
    assert capfd.readouterr() == ("", "")

    plain = dataclasses.replace(dense, model=model.float())
    report = check_parity(plain, bundle, [noise(i, 1.0 + i) for i in range(3)])
    assert report.ties == 0 and report.largest_difference < 1e-4
    stored = weights_in(bundle.graph("decoder")) | weights_in(bundle.graph("encoder"))
    compared = 0
    for name, weight in model.model.named_parameters():
        if name in stored and weight.ndim == 2 and "embed" not in name:
            assert np.array_equal(stored[name] == 0, (weight.T == 0).numpy()), name
            compared += 1
    assert compared > 15


def cut_head(attention: Any) -> None:
    """Remove the first head, as structured pruning does."""
    size = attention.head_dim
    for layer in (attention.q_proj, attention.k_proj, attention.v_proj):
        layer.weight = torch.nn.Parameter(layer.weight[size:].detach())
        if layer.bias is not None:
            layer.bias = torch.nn.Parameter(layer.bias[size:].detach())
    attention.out_proj.weight = torch.nn.Parameter(attention.out_proj.weight[:, size:].detach())
    attention.num_heads -= 1


def cut_neurons(layer: Any) -> None:
    layer.fc1.weight = torch.nn.Parameter(layer.fc1.weight[10:].detach())
    layer.fc1.bias = torch.nn.Parameter(layer.fc1.bias[10:].detach())
    layer.fc2.weight = torch.nn.Parameter(layer.fc2.weight[:, 10:].detach())


@pytest.mark.parametrize("family", [sew, sew_d, wav2vec2])
def test_the_weight_norm_is_folded_in_the_graph_but_not_in_the_model(family: Any) -> None:
    checkpoint, bundle = family()
    conv = checkpoint.model.base_model.encoder.pos_conv_embed.conv
    assert any(
        weight.shape == conv.weight.shape and np.allclose(weight, conv.weight.detach(), atol=1e-6)
        for weight in weights_in(bundle.graph("model")).values()
    )
    assert torch.nn.utils.parametrize.is_parametrized(conv)


@pytest.mark.parametrize("family", [sew, sew_d, wav2vec2])
def test_the_shortest_audio_is_the_shortest(family: Any) -> None:
    checkpoint, bundle = family()
    session = onnxruntime.InferenceSession(bundle.graph("model"))
    shortest = shortest_audio(checkpoint.model.config)
    session.run(None, {"input_values": np.zeros((1, shortest), np.float32)})
    checkpoint.model(torch.zeros(1, shortest))
    with pytest.raises(RuntimeError):
        checkpoint.model(torch.zeros(1, shortest - 1))


@pytest.mark.parametrize(("kernel", "stride", "layers"), [(5, 3, 2), (3, 2, 3), (8, 1, 1)])
def test_the_shortest_audio_is_longer_for_an_adapter(kernel: int, stride: int, layers: int) -> None:
    adapter = {
        "add_adapter": True,
        "adapter_kernel_size": kernel,
        "adapter_stride": stride,
        "num_adapter_layers": layers,
    }
    config = Wav2Vec2Config(**CTC_SHAPE | adapter)
    model, shortest = Wav2Vec2ForCTC(config).eval(), shortest_audio(config)
    model(torch.zeros(1, shortest))
    with pytest.raises(RuntimeError):
        model(torch.zeros(1, shortest - 1))


def test_a_family_without_a_graph_is_named(tmp_path: Path) -> None:
    model = copy.deepcopy(sew()[0].model)
    model.config.model_type = "hubert"
    with pytest.raises(BadInput, match=r"'hubert' model cannot be .* sew-d"):
        write_ctc(model, tmp_path / "model.onnx")
