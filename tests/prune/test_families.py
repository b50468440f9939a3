"""Which layers are offered for pruning."""

import torch
from torch import nn
from transformers import WhisperConfig, WhisperForConditionalGeneration

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers


def test_whisper_tiny_has_65_linear_layers_and_all_but_the_tied_one_are_prunable() -> None:
    with torch.device("meta"):
        config = WhisperConfig(
            d_model=384,
            encoder_layers=4,
            decoder_layers=4,
            encoder_attention_heads=6,
            decoder_attention_heads=6,
            encoder_ffn_dim=1536,
            decoder_ffn_dim=1536,
        )
        model = WhisperForConditionalGeneration(config)
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert len(linear) == 65
    assert linear - set(prunable_layers(model)) == {"proj_out"}


def test_a_ctc_model_offers_its_convolutions_but_not_its_letters(tiny_sew: Checkpoint) -> None:
    layers = prunable_layers(tiny_sew.model)
    assert "sew.feature_extractor.conv_layers.0.conv" in layers
    assert "sew.encoder.layers.0.attention.q_proj" in layers
    assert "lm_head" not in layers
