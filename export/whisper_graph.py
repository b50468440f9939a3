"""Whisper as two ONNX graphs: an encoder that prepares the cross-attention, and a decoder.

The encoder emits each decoder layer's cross-attention keys and values, which a decoder that
computed them itself would recompute for every token (5 to 7 times the cost of a step). The one
decoder graph serves both the prefix and the steps: its self-attention cache grows by as many
positions as it is given tokens, and it returns the logits of the last token alone.

Every size comes from the weights, so layers may differ in heads and neurons, and be missing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from export.fused_attention import OPERATOR, attend, heads, settings
from export.tracing import Signature, write_graph


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
    past = _caches([layer.self_attn for layer in model.model.decoder.layers], 5)
    cross = _caches([layer.encoder_attn for layer in model.model.decoder.layers], 11)
    signature = Signature(
        inputs=(torch.zeros(1, 3, dtype=torch.long), past, cross),
        axes=({1: "tokens"}, [{2: "past"}] * len(past), [{2: "heard"}] * len(cross)),
        input_names=["tokens", *_names("past_", model), *_names("cross_", model)],
        output_names=["logits", *_names("", model)],
    )
    write_graph(_Decoder(model), signature, path)


class _Encoder(nn.Module):
    def __init__(self, model: Any):
        super().__init__()
        self.encoder = model.model.encoder
        self.cross: Any = nn.ModuleList(layer.encoder_attn for layer in model.model.decoder.layers)

    def forward(self, features: Tensor) -> list[Tensor]:
        encoder = self.encoder
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            hidden = hidden + _listen_to_itself(layer, hidden)
            hidden = hidden + _feed_forward(layer, hidden)
        hidden = encoder.layer_norm(hidden)
        return [
            _split(project(hidden), attention)
            for attention in self.cross
            for project in (attention.k_proj, attention.v_proj)
        ]


class _Decoder(nn.Module):
    """The tied embedding is one table, turned so that the vocabulary projection is a `MatMul`."""

    def __init__(self, model: Any):
        super().__init__()
        self.decoder = model.model.decoder
        projection = model.proj_out.weight
        self.tied = model.model.decoder.embed_tokens.weight is projection
        self.table = nn.Parameter(projection.detach().T.contiguous(), requires_grad=False)

    def forward(self, tokens: Tensor, past: list[Tensor], cross: list[Tensor]) -> list[Tensor]:
        decoder = self.decoder
        start, count = past[0].shape[2], tokens.shape[1]
        hidden = self._embed(tokens) + decoder.embed_positions.weight[start : start + count]
        grown = []
        for i, layer in enumerate(decoder.layers):
            pair = slice(2 * i, 2 * i + 2)
            heard, cache = _recall(layer, hidden, past[pair])
            hidden = hidden + heard
            hidden = hidden + _listen_to_encoder(layer, hidden, cross[pair])
            hidden = hidden + _feed_forward(layer, hidden)
            grown += cache
        last = decoder.layer_norm(hidden[:, -1])
        return [last @ self.table, *grown]

    def _embed(self, tokens: Tensor) -> Tensor:
        if self.tied:
            return self.table.index_select(1, tokens[0]).T.unsqueeze(0)
        embedded: Tensor = self.decoder.embed_tokens(tokens)
        return embedded


def _listen_to_itself(layer: Any, hidden: Tensor) -> Tensor:
    attention, hidden = layer.self_attn, layer.self_attn_layer_norm(hidden)
    key, value = attention.k_proj(hidden), attention.v_proj(hidden)
    return attend(attention, attention.q_proj(hidden), key, value)


def _recall(layer: Any, hidden: Tensor, past: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Causal self-attention over the cache and the new tokens, and the cache with those added."""
    attention, hidden = layer.self_attn, layer.self_attn_layer_norm(hidden)
    query = attention.q_proj(hidden)
    key, value = past
    length = key.shape[2] + hidden.shape[1]
    joined, *cache = torch.onnx.ops.symbolic_multi_out(
        OPERATOR,
        [query, attention.k_proj(hidden), attention.v_proj(hidden), None, None, None, key, value],
        {**settings(attention), "unidirectional": 1},
        dtypes=[query.dtype] * 3,
        shapes=[query.shape, *([1, heads(attention), length, int(attention.head_dim)],) * 2],
        version=1,
    )
    return attention.out_proj(joined), cache


def _listen_to_encoder(layer: Any, hidden: Tensor, cross: Sequence[Tensor]) -> Tensor:
    attention = layer.encoder_attn
    query = attention.q_proj(layer.encoder_attn_layer_norm(hidden))
    return attend(attention, query, *cross)


def _feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    out: Tensor = layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
    return out


def _split(projected: Tensor, attention: Any) -> Tensor:
    """(1, time, heads × size) to (1, heads, time, size)."""
    shape = (*projected.shape[:-1], heads(attention), int(attention.head_dim))
    return projected.view(shape).transpose(1, 2)


def _caches(attentions: Sequence[Any], length: int) -> list[Tensor]:
    """Example keys and values; each its own tensor, for the tracer takes one twice as one input."""
    return [
        torch.zeros(1, heads(attention), length, int(attention.head_dim))
        for attention in attentions
        for _ in ("key", "value")
    ]


def _names(prefix: str, model: Any) -> list[str]:
    layers = range(len(model.model.decoder.layers))
    return [f"{prefix}{kind}_{i}" for i in layers for kind in ("key", "value")]
