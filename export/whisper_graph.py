"""Whisper as two ONNX graphs: an encoder that prepares the cross-attention, and a decoder.

The encoder emits each decoder layer's cross-attention keys (turned) and values, which a decoder
that computed them itself would recompute for every token (5 to 7 times the cost of a step). The one
decoder graph serves both the prefix and the steps: its self-attention cache grows by as many
positions as it is given tokens, and it returns the logits of the last token alone.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.tracing import Signature, write_graph
from export.whisper_parts import Decoder, caches, cross_attention, encode, turned
from runtime.embedding import TABLE


def write_encoder(model: Any, path: Path) -> None:
    """`input_features` (1, mels, frames) to `cross_key_0`, `cross_value_0`, `cross_key_1` …"""
    mels, frames = model.config.num_mel_bins, 2 * model.config.max_source_positions
    signature = Signature(
        inputs=(torch.zeros(1, mels, frames),),
        axes=({2: "frames"},),
        input_names=["input_features"],
        output_names=_names("cross_", model),
    )
    write_graph(_Encoder(model), signature, path)


def write_decoder(model: Any, path: Path) -> None:
    """`tokens` (1, count), `past_key_0` …, `cross_key_0` … to `logits` (1, words), `key_0` …"""
    layers = model.model.decoder.layers
    past = caches([layer.self_attn for layer in layers], 5, batch=1)
    cross = turned(caches([layer.encoder_attn for layer in layers], 11, batch=1))
    signature = Signature(
        inputs=(torch.zeros(1, 3, dtype=torch.long), past, cross),
        axes=(
            {1: "tokens"},
            [{2: "past"}] * len(past),
            [{3: "heard"}, {2: "heard"}] * len(layers),
        ),
        input_names=["tokens", *_names("past_", model), *_names("cross_", model)],
        output_names=["logits", *_names("", model)],
        loose=[TABLE],
    )
    write_graph(_Decoder(model), signature, path)


class _Encoder(nn.Module):
    def __init__(self, model: Any):
        super().__init__()
        self.encoder = model.model.encoder
        self.cross: Any = nn.ModuleList(layer.encoder_attn for layer in model.model.decoder.layers)

    def forward(self, features: Tensor) -> list[Tensor]:
        return turned(cross_attention(self.cross, encode(self.encoder, features)))


class _Decoder(Decoder):
    def forward(self, tokens: Tensor, past: list[Tensor], cross: list[Tensor]) -> list[Tensor]:
        hidden, grown = self.decode(self.embed(tokens), past, cross)
        last = self.decoder.layer_norm(hidden[:, -1])
        return [last @ self.table, *grown]


def _names(prefix: str, model: Any) -> list[str]:
    layers = range(len(model.model.decoder.layers))
    return [f"{prefix}{kind}_{i}" for i in layers for kind in ("key", "value")]
