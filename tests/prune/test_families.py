"""Which layers are offered for pruning, in which order, and what part of the model they are."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    SEWConfig,
    SEWDConfig,
    SEWDForCTC,
    SEWForCTC,
    Wav2Vec2Config,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.layers import COMPONENTS, component, hears_padding, prunable_layers
from prune.listen import transcribe


def whisper(width: int, encoder: int, decoder: int) -> nn.Module:
    """A Whisper of that shape without any weights."""
    config = WhisperConfig(
        d_model=width,
        encoder_layers=encoder,
        decoder_layers=decoder,
        encoder_attention_heads=width // 64,
        decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
    )
    return weightless(WhisperForConditionalGeneration, config)


def weightless(kind: Any, config: Any) -> nn.Module:
    with torch.device("meta"):
        return kind(config)


def large_wav2vec2() -> nn.Module:
    config = Wav2Vec2Config(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
    )
    return weightless(Wav2Vec2ForCTC, config)


def sew_tiny() -> dict[str, int]:
    """What asapp/sew-tiny-100k and asapp/sew-d-tiny-100k set beside the defaults."""
    return {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6}


def test_whisper_tiny_has_65_linear_layers_and_all_but_the_tied_one_are_prunable() -> None:
    model = whisper(384, 4, 4)
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert len(linear) == 65
    assert linear - set(prunable_layers(model)) == {"proj_out"}
    assert set(prunable_layers(model, tied=True)) == linear


def test_counts_by_component_in_published_shapes() -> None:
    shapes = {
        "large-v3-turbo": whisper(1280, 32, 4),
        "wav2vec2-base": weightless(Wav2Vec2ForCTC, Wav2Vec2Config()),
        "wav2vec2-large": large_wav2vec2(),
        "sew-tiny": weightless(SEWForCTC, SEWConfig(**sew_tiny())),
        "sew-d-tiny": weightless(SEWDForCTC, SEWDConfig(**sew_tiny())),
    }
    sew = {"features": 13, "projection": 1, "encoder.upsample": 1}
    expected = {
        "large-v3-turbo": {
            "encoder.attention": 128,
            "encoder.ffn": 64,
            "decoder.self_attention": 16,
            "decoder.cross_attention": 16,
            "decoder.ffn": 8,
        },
        "wav2vec2-base": transformer(12) | {"features": 7, "projection": 1},
        "wav2vec2-large": transformer(24) | {"features": 7, "projection": 1},
        "sew-tiny": transformer(12) | sew,
        "sew-d-tiny": transformer(12) | sew,
    }
    found = {name: dict(Counter(map(component, prunable_layers(shapes[name])))) for name in shapes}
    assert found == expected


def transformer(layers: int) -> dict[str, int]:
    return {"encoder.attention": 4 * layers, "encoder.ffn": 2 * layers}


def test_prunable_weights_of_published_shapes() -> None:
    """Most of every model, and never the positional convolution, which is weight-normed."""
    tiny = prunable_layers(whisper(384, 4, 4)).values()
    assert sum(layer.weight.numel() for layer in tiny) == 4 * (12 + 16) * 384**2
    base = weightless(Wav2Vec2ForCTC, Wav2Vec2Config())
    assert not [name for name in prunable_layers(base, tied=True) if "pos_conv" in name]
    prunable = sum(layer.weight.numel() for layer in prunable_layers(base).values())
    assert 0.94 < prunable / sum(weight.numel() for weight in base.parameters()) < 1


def called(checkpoint: Checkpoint) -> list[str]:
    """Prunable layers as one clip first reaches them, the vocabulary included."""
    order: list[str] = []
    for name, layer in prunable_layers(checkpoint.model, tied=True).items():
        layer.register_forward_pre_hook(lambda *_, name=name: order.append(name))
    transcribe(checkpoint, [np.random.default_rng(0).standard_normal(20_000).astype(np.float32)])
    return list(dict.fromkeys(order))


def test_the_order_is_that_of_a_forward_pass(tiny_variant: Checkpoint) -> None:
    layers = list(prunable_layers(tiny_variant.model, tied=True))
    assert called(tiny_variant) == layers
    assert layers[-1] in ("proj_out", "lm_head")
    assert list(prunable_layers(tiny_variant.model)) == layers[:-1]


@pytest.mark.parametrize("adapted", [{"adapter_attn_dim": 8}, {"add_adapter": True}])
def test_adapters_run_where_they_are_listed(
    tiny_wav2vec2: Checkpoint, adapted: dict[str, Any]
) -> None:
    """MMS has adapters in its layers; speech translation has one after the last."""
    config = Wav2Vec2Config.from_dict(tiny_wav2vec2.model.config.to_dict() | adapted)
    config.do_stable_layer_norm, config.output_hidden_size = True, 24
    tiny_wav2vec2.model = Wav2Vec2ForCTC(config).eval()
    layers = prunable_layers(tiny_wav2vec2.model, tied=True)
    assert called(tiny_wav2vec2) == list(layers)
    assert "encoder.adapter" in set(map(component, layers))


def test_components_come_in_the_order_in_which_models_run_them(tiny_variant: Checkpoint) -> None:
    places = list(map(component, prunable_layers(tiny_variant.model, tied=True)))
    assert set(places) <= set(COMPONENTS)
    first = sorted(set(places), key=places.index)
    assert first == [place for place in COMPONENTS if place in places]


def test_only_plain_parameters_are_offered(tiny_variant: Checkpoint) -> None:
    """A weight computed from others at every call would not stay pruned."""
    parameters = dict(tiny_variant.model.named_parameters())
    for name, layer in prunable_layers(tiny_variant.model).items():
        assert layer.weight is parameters[f"{name}.weight"]


def test_whispers_tied_weight_is_one_tensor_named_once(tiny_multilingual: Checkpoint) -> None:
    model = tiny_multilingual.model
    layers = prunable_layers(model, tied=True)
    assert layers["proj_out"].weight is model.model.decoder.embed_tokens.weight
    assert len({id(layer.weight) for layer in layers.values()}) == len(layers)


def test_padding_is_heard_by_the_encoder_and_the_keys_made_of_it() -> None:
    names = prunable_layers(whisper(64, 1, 1))
    padded = {name for name in names if hears_padding(name)}
    assert {name for name in names if name.startswith("model.encoder.")} < padded
    cross = padded - {name for name in names if name.startswith("model.encoder.")}
    assert {name.rpartition(".")[2] for name in cross} == {"k_proj", "v_proj"}
    assert set(map(component, cross)) == {"decoder.cross_attention"}


def test_a_name_of_no_known_family_has_no_component() -> None:
    with pytest.raises(ValueError, match=r"hubert\.final is no layer"):
        component("hubert.final")


def test_every_variant_opens_and_hears_something(tiny_variant: Checkpoint) -> None:
    """The tiny checkpoints are whole: opened again from where they lie, they say the same."""
    clip = np.random.default_rng(5).standard_normal(24_000).astype(np.float32) / 5
    again = open_checkpoint(tiny_variant.source)
    assert transcribe(again, [clip]) == transcribe(tiny_variant, [clip])
    assert transcribe(again, [clip]) != [""]
