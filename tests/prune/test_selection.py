"""Selecting layers as a recipe names them."""

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from prune.checkpoint import Checkpoint
from prune.families.layers import component, prunable_layers
from prune.families.selection import select
from speech.errors import BadInput


@pytest.fixture(scope="module")
def whisper() -> WhisperForConditionalGeneration:
    """Twelve layers a side, so that layer 1 is not layer 11; no weights."""
    with torch.device("meta"):
        return WhisperForConditionalGeneration(
            WhisperConfig(d_model=96, encoder_layers=12, decoder_layers=12)
        )


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("encoder.*.fc1", 12),
        ("model.encoder.*.fc1", 12),
        ("*.fc1", 24),
        ("decoder.layers.1.*", 10),
        ("decoder.layers.1", 10),
        ("decoder.layers.1.encoder_attn", 4),
        ("model.decoder.layers.1.fc2", 1),
        ("decoder.layers.1[01].fc2", 2),
        ("decoder", 120),
        ("decoder.ffn", 24),
        ("ffn", 48),
        ("attention", 48 + 96),
        ("cross_attention", 48),
        ("*", 192),
    ],
)
def test_a_pattern_names_layers(
    whisper: WhisperForConditionalGeneration, pattern: str, count: int
) -> None:
    assert len(select(whisper, [pattern])) == count


def test_several_patterns_make_one_list_in_the_order_of_the_model(
    whisper: WhisperForConditionalGeneration,
) -> None:
    chosen = list(select(whisper, ["decoder.ffn", "encoder.layers.0", "decoder.layers.3.fc1"]))
    assert len(chosen) == 24 + 6
    assert chosen == [name for name in prunable_layers(whisper) if name in chosen]
    assert chosen[0] == "model.encoder.layers.0.self_attn.q_proj"


def test_every_component_selects_its_layers_in_every_family(tiny_variant: Checkpoint) -> None:
    layers = prunable_layers(tiny_variant.model)
    for place in set(map(component, layers)):
        chosen = select(tiny_variant.model, [place])
        assert list(chosen) == [name for name in layers if component(name) == place]


def test_the_family_in_front_may_be_left_out(tiny_wav2vec2: Checkpoint) -> None:
    short = select(tiny_wav2vec2.model, ["encoder.layers.1.*"])
    assert list(short) == list(select(tiny_wav2vec2.model, ["wav2vec2.encoder.layers.1"]))
    assert len(short) == 6


def test_the_tied_projection_must_be_asked_for(whisper: WhisperForConditionalGeneration) -> None:
    assert list(select(whisper, ["proj_out"], tied=True)) == ["proj_out"]
    assert list(select(whisper, ["vocabulary"], tied=True)) == ["proj_out"]
    assert "proj_out" not in select(whisper, ["*"])
    with pytest.raises(BadInput, match=r"'proj_out' is the vocabulary projection.*tied weights"):
        select(whisper, ["decoder", "proj_out"])


@pytest.mark.parametrize(
    ("pattern", "nearest"),
    [
        ("decoder.fnn", "decoder.ffn"),
        ("encodr", "encoder"),
        ("decoder.layers.0.fc3", "decoder.layers.0.fc[12]"),
        ("encoder.layers.12.*", "encoder.layers"),
        ("model.decoder.layers.2.cross_attn.k_proj", "model.decoder.layers.2.self_attn.k_proj"),
    ],
)
def test_a_pattern_that_matches_nothing_is_named_with_the_nearest(
    whisper: WhisperForConditionalGeneration, pattern: str, nearest: str
) -> None:
    with pytest.raises(BadInput, match=f"did you mean '{nearest}") as caught:
        select(whisper, ["encoder.ffn", pattern])
    assert repr(pattern) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["", ".", "zzz"])
def test_nonsense_is_not_everything(whisper: WhisperForConditionalGeneration, pattern: str) -> None:
    with pytest.raises(BadInput, match=r"matches no prunable layer: .*decoder\.ffn"):
        select(whisper, [pattern])


def test_no_pattern_at_all_is_no_selection(whisper: WhisperForConditionalGeneration) -> None:
    with pytest.raises(BadInput, match="No layer is selected"):
        select(whisper, [])
