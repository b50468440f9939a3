"""Hessians are those of the inputs that count, and nothing else."""

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.statistics import hessians
from speech.errors import BadInput

RATE = 16_000


def clip(seconds: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(int(seconds * RATE)) / 5
    return samples.astype(np.float32)


def inputs_of(checkpoint: Checkpoint, layer: str, samples: np.ndarray, text: str) -> torch.Tensor:
    """What one layer got, caught by hand: rows of the padded window."""
    caught: list[torch.Tensor] = []
    module = prunable_layers(checkpoint.model)[layer]
    hook = module.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    tokens = checkpoint.processor.tokenizer(f" {text}", return_tensors="pt").input_ids[:, :-1]
    features = checkpoint.processor(samples, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        checkpoint.model(features.input_features, decoder_input_ids=tokens)
    hook.remove()
    return caught[0].flatten(0, 1)


@pytest.mark.parametrize(
    ("layer", "rows"),
    [
        ("model.encoder.layers.1.fc1", 75),
        ("model.decoder.layers.1.encoder_attn.k_proj", 75),
        ("model.decoder.layers.1.fc2", None),
    ],
)
def test_padding_frames_are_left_out(
    tiny_whisper: Checkpoint, layer: str, rows: int | None
) -> None:
    """1.5 s of a 4 s window are 75 frames of the encoder; the decoder's tokens all count."""
    found = hessians(tiny_whisper, [(clip(1.5), "turn on the lights")])[layer]
    inputs = inputs_of(tiny_whisper, layer, clip(1.5), "turn on the lights")[:rows]
    assert torch.allclose(found, inputs.T @ inputs / len(inputs), rtol=1e-4, atol=1e-5)


def test_every_prunable_layer_has_one_of_its_size(tiny_checkpoint: Checkpoint) -> None:
    found = hessians(tiny_checkpoint, [(clip(1.0), "on"), (clip(2.0, 1), "off")])
    layers = prunable_layers(tiny_checkpoint.model)
    assert found.keys() == layers.keys()
    for name, layer in layers.items():
        inputs = layer.weight.flatten(1).shape[1]
        assert found[name].shape == (inputs, inputs)
        assert torch.allclose(found[name], found[name].T, rtol=1e-4, atol=1e-6)


def test_layers_with_one_input_share_one_hessian(tiny_whisper: Checkpoint) -> None:
    found = hessians(tiny_whisper, [(clip(1.0), "on")])
    attention = "model.encoder.layers.0.self_attn."
    assert found[attention + "q_proj"] is found[attention + "v_proj"]
    assert found[attention + "q_proj"] is not found[attention + "out_proj"]


def test_clips_beyond_the_window_are_left_out(tiny_whisper: Checkpoint) -> None:
    short, long = (clip(1.0), "on"), (clip(5.0), "a text for two windows")
    alone, beside = hessians(tiny_whisper, [short]), hessians(tiny_whisper, [long, short])
    assert all(torch.equal(alone[name], beside[name]) for name in alone)
    with pytest.raises(BadInput, match="no clip to calibrate on"):
        hessians(tiny_whisper, [long])


def test_broken_activations_name_the_layer(tiny_sew: Checkpoint) -> None:
    layers = prunable_layers(tiny_sew.model)
    with torch.no_grad():
        layers["sew.encoder.layers.0.feed_forward.intermediate_dense"].weight.fill_(1e38)
    with pytest.raises(BadInput, match=r"sew\.encoder\.layers\.0\.feed_forward\.output_dense"):
        hessians(tiny_sew, [(clip(1.0), "on")])


def test_silence_and_nothing_are_refused(tiny_checkpoint: Checkpoint) -> None:
    silent = (np.zeros(RATE, np.float32), "on")
    with pytest.raises(BadInput, match="Every clip to calibrate on is silent"):
        hessians(tiny_checkpoint, [silent, silent])
    with pytest.raises(BadInput, match="no clip to calibrate on"):
        hessians(tiny_checkpoint, [])


def test_double_precision_agrees_with_single(tiny_checkpoint: Checkpoint) -> None:
    spoken = [(clip(1.0), "on"), (clip(1.5, 1), "off")]
    single = hessians(tiny_checkpoint, spoken)
    double = hessians(tiny_checkpoint, spoken, precision=torch.float64)
    for name, found in double.items():
        assert found.dtype == torch.float64
        assert torch.allclose(found.float(), single[name], rtol=1e-3, atol=1e-5), name
