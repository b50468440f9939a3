"""Pieces of Whisper as they are traced, whatever graphs are made of them.

Every size comes from the weights, so layers may differ in heads and neurons, and be missing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from export.fused_attention import OPERATOR, attend, heads, settings


def encode(encoder: Any, features: Tensor) -> Tensor:
    """(batch, mels, frames) to hidden states; a shorter window takes the first positions."""
    hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = hidden + _listen_to_itself(layer, hidden)
        hidden = hidden + _feed_forward(layer, hidden)
    out: Tensor = encoder.layer_norm(hidden)
    return out


class Decoder(nn.Module):
    """The tied embedding is one table, turned so that the vocabulary projection is a `MatMul`."""

    def __init__(self, model: Any):
        super().__init__()
        self.decoder = model.model.decoder
        projection = model.proj_out.weight
        self.tied = model.model.decoder.embed_tokens.weight is projection
        self.table = nn.Parameter(projection.detach().T.contiguous(), requires_grad=False)

    def embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor
        if self.tied:
            embedded = self.table.index_select(1, tokens.flatten()).T.unflatten(0, tokens.shape)
        else:
            embedded = self.decoder.embed_tokens(tokens)
        return embedded

    def decode(
        self, embedded: Tensor, past: Sequence[Tensor], cross: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """What comes out of the last layer, and the grown cache; `cross` has its keys turned."""
        start, count = past[0].shape[2], embedded.shape[1]
        hidden = embedded + self.decoder.embed_positions.weight[start : start + count]
        grown = []
        for i, layer in enumerate(self.decoder.layers):
            pair = slice(2 * i, 2 * i + 2)
            heard, cache = _recall(layer, hidden, past[pair])
            hidden = hidden + heard
            hidden = hidden + _listen_to_encoder(layer, hidden, cross[pair])
            hidden = hidden + _feed_forward(layer, hidden)
            grown += cache
        return hidden, grown


def _listen_to_itself(layer: Any, hidden: Tensor) -> Tensor:
    attention, hidden = layer.self_attn, layer.self_attn_layer_norm(hidden)
    key, value = attention.k_proj(hidden), attention.v_proj(hidden)
    return attend(attention, attention.q_proj(hidden), key, value)


def _recall(layer: Any, hidden: Tensor, past: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Causal self-attention over the cache and the new tokens, and the cache with those added."""
    attention, hidden = layer.self_attn, layer.self_attn_layer_norm(hidden)
    query, (key, value) = attention.q_proj(hidden), past
    length = key.shape[2] + hidden.shape[1]
    grown = [hidden.shape[0], heads(attention), length, int(attention.head_dim)]
    joined, *cache = torch.onnx.ops.symbolic_multi_out(
        OPERATOR,
        [query, attention.k_proj(hidden), attention.v_proj(hidden), None, None, None, key, value],
        {**settings(attention), "unidirectional": 1},
        dtypes=[query.dtype] * 3,
        shapes=[query.shape, grown, grown],
        version=1,
    )
    return attention.out_proj(joined), cache


def _listen_to_encoder(layer: Any, hidden: Tensor, cross: Sequence[Tensor]) -> Tensor:
    """By plain products: for one query at a time onnxruntime's operator takes 1.4 times as long.

    It takes no turned keys, and scales within its product, which is then made for many queries.
    """
    attention, (turned_key, value) = layer.encoder_attn, cross
    query = attention.q_proj(layer.encoder_attn_layer_norm(hidden)) * attention.scaling
    query = query.unflatten(2, (heads(attention), int(attention.head_dim))).transpose(1, 2)
    joined = torch.softmax(query @ turned_key, dim=-1) @ value
    out: Tensor = attention.out_proj(joined.transpose(1, 2).flatten(2))
    return out


def _feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    out: Tensor = layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
    return out


def cross_attention(attentions: Sequence[Any], hidden: Tensor) -> list[Tensor]:
    """Each attention's keys and values of what the encoder says, (batch, heads, time, size)."""
    return [
        project(hidden).unflatten(2, (heads(attention), int(attention.head_dim))).transpose(1, 2)
        for attention in attentions
        for project in (attention.k_proj, attention.v_proj)
    ]


def turned(cross: Sequence[Tensor]) -> list[Tensor]:
    """The same with keys of shape (batch, heads, size, time), as a query is multiplied by them."""
    return [part if i % 2 else part.transpose(2, 3) for i, part in enumerate(cross)]


def caches(attentions: Sequence[Any], length: int, *, batch: int) -> list[Tensor]:
    """Example keys and values; each its own tensor, for the tracer takes one twice as one input."""
    return [
        torch.zeros(batch, heads(attention), length, int(attention.head_dim))
        for attention in attentions
        for _ in ("key", "value")
    ]
