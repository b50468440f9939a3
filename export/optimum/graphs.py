"""Whisper as the two ONNX graphs that optimum and transformers.js look for.

Their encoder ends at its hidden states. Their decoder is two in one file: the first call computes
the cross-attention's keys and values, later ones are given them. Both branches share one copy of
every weight, the tied embedding among them. Sizes come from the weights, so layers may be uneven.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from export.fused_attention import OPERATOR, FusedAttention, attend, heads, settings
from export.optimum.merge import Port, merged
from export.tracing import Signature, write_graph

_BATCH = {0: "batch_size"}
_NEW, _OLD, _HEARD = (
    "decoder_sequence_length",
    "past_decoder_sequence_length",
    "encoder_sequence_length",
)


def write_standard_encoder(model: Any, path: Path) -> None:
    """`input_features` (batch, mels, frames of the whole window) to `last_hidden_state`."""
    signature = Signature(
        inputs=(torch.zeros(2, model.config.num_mel_bins, 2 * model.config.max_source_positions),),
        axes=(_BATCH,),
        input_names=["input_features"],
        output_names=["last_hidden_state"],
    )
    write_graph(_Encoder(model), signature, path)


def write_merged_decoder(model: Any, path: Path) -> None:
    """`input_ids`, `encoder_hidden_states`, `past_key_values.*`, `use_cache_branch` to `logits`
    of every token and `present.*`; what the branch at hand does not need may be empty."""
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        first, later = Path(folder) / "first.onnx", Path(folder) / "later.onnx"
        write_graph(_First(model), _first_signature(model), first)
        write_graph(_Later(model), _later_signature(model), later)
        inputs, outputs = _ports(model)
        ir.save(merged(ir.load(first), ir.load(later), inputs, outputs), path)


class _Encoder(nn.Module):
    def __init__(self, model: Any):
        super().__init__()
        self.encoder = model.model.encoder

    def forward(self, features: Tensor) -> Tensor:
        encoder = self.encoder
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight
        for layer in encoder.layers:
            attention = FusedAttention(layer.self_attn)
            hidden = hidden + attention(layer.self_attn_layer_norm(hidden))[0]
            hidden = hidden + _feed_forward(layer, hidden)
        final: Tensor = encoder.layer_norm(hidden)
        return final


class _Decoder(nn.Module):
    """The tied embedding is one table, turned so that the vocabulary projection is a `MatMul`."""

    def __init__(self, model: Any):
        super().__init__()
        self.decoder = model.model.decoder
        projection = model.proj_out.weight
        self.tied = model.model.decoder.embed_tokens.weight is projection
        self.table = nn.Parameter(projection.detach().T.contiguous(), requires_grad=False)

    def decode(
        self, tokens: Tensor, past: Sequence[Tensor], cross: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits of every token, and the grown cache."""
        decoder = self.decoder
        start, count = past[0].shape[2], tokens.shape[1]
        hidden = self._embed(tokens) + decoder.embed_positions.weight[start : start + count]
        grown = []
        for i, layer in enumerate(decoder.layers):
            pair = slice(2 * i, 2 * i + 2)
            heard, cache = _recall(layer, hidden, past[pair])
            hidden = hidden + heard
            query = layer.encoder_attn.q_proj(layer.encoder_attn_layer_norm(hidden))
            hidden = hidden + attend(layer.encoder_attn, query, *cross[pair])
            hidden = hidden + _feed_forward(layer, hidden)
            grown += cache
        return decoder.layer_norm(hidden) @ self.table, grown

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor
        if self.tied:
            embedded = self.table.index_select(1, tokens.flatten()).T.unflatten(0, tokens.shape)
        else:
            embedded = self.decoder.embed_tokens(tokens)
        return embedded


class _First(_Decoder):
    def forward(self, tokens: Tensor, heard: Tensor) -> list[Tensor]:
        layers = self.decoder.layers
        empty = [
            heard.new_zeros(heard.shape[0], heads(layer.self_attn), 0, layer.self_attn.head_dim)
            for layer in layers
            for _ in ("key", "value")
        ]
        cross = [
            _split(project(heard), attention)
            for attention in (layer.encoder_attn for layer in layers)
            for project in (attention.k_proj, attention.v_proj)
        ]
        logits, grown = self.decode(tokens, empty, cross)
        return [logits, *grown, *cross]


class _Later(_Decoder):
    def forward(self, tokens: Tensor, past: list[Tensor], cross: list[Tensor]) -> list[Tensor]:
        logits, grown = self.decode(tokens, past, cross)
        return [logits, *grown]


def _recall(layer: Any, hidden: Tensor, past: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Causal self-attention over the cache and the new tokens, and the cache with those added."""
    attention, hidden = layer.self_attn, layer.self_attn_layer_norm(hidden)
    query, (key, value) = attention.q_proj(hidden), past
    grown = [hidden.shape[0], heads(attention), key.shape[2] + hidden.shape[1], attention.head_dim]
    joined, *cache = torch.onnx.ops.symbolic_multi_out(
        OPERATOR,
        [query, attention.k_proj(hidden), attention.v_proj(hidden), None, None, None, key, value],
        {**settings(attention), "unidirectional": 1},
        dtypes=[query.dtype] * 3,
        shapes=[query.shape, grown, grown],
        version=1,
    )
    return attention.out_proj(joined), cache


def _feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    out: Tensor = layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
    return out


def _split(projected: Tensor, attention: Any) -> Tensor:
    """(batch, time, heads × size) to (batch, heads, time, size)."""
    apart: Tensor = projected.unflatten(2, (heads(attention), attention.head_dim))
    return apart.transpose(1, 2)


def _attentions(model: Any, name: str) -> list[Any]:
    return [getattr(layer, name) for layer in model.model.decoder.layers]


def _caches(attentions: Sequence[Any], length: int) -> list[Tensor]:
    return [
        torch.zeros(2, heads(attention), length, attention.head_dim)
        for attention in attentions
        for _ in ("key", "value")
    ]


def _names(model: Any, before: str, side: str) -> list[str]:
    layers = range(len(model.model.decoder.layers))
    return [f"{before}.{i}.{side}.{kind}" for i in layers for kind in ("key", "value")]


def _first_signature(model: Any) -> Signature:
    heard = torch.zeros(2, 11, model.config.d_model)
    return Signature(
        inputs=(torch.zeros(2, 3, dtype=torch.long), heard),
        axes=(_BATCH | {1: _NEW}, _BATCH | {1: _HEARD}),
        input_names=["input_ids", "encoder_hidden_states"],
        output_names=[
            "logits",
            *_names(model, "present", "decoder"),
            *_names(model, "present", "encoder"),
        ],
    )


def _later_signature(model: Any) -> Signature:
    past = _caches(_attentions(model, "self_attn"), 5)
    cross = _caches(_attentions(model, "encoder_attn"), 11)
    return Signature(
        inputs=(torch.zeros(2, 3, dtype=torch.long), past, cross),
        axes=(
            _BATCH | {1: _NEW},
            [_BATCH | {2: _OLD}] * len(past),
            [_BATCH | {2: _HEARD}] * len(cross),
        ),
        input_names=[
            "input_ids",
            *_names(model, "past_key_values", "decoder"),
            *_names(model, "past_key_values", "encoder"),
        ],
        output_names=["logits", *_names(model, "present", "decoder")],
    )


def _ports(model: Any) -> tuple[list[Port], list[Port]]:
    """What goes into the merged decoder and comes out, layer by layer, in the customary order."""
    words, width = int(model.config.vocab_size), int(model.config.d_model)
    floats, batch = ir.DataType.FLOAT, _BATCH[0]
    inputs = [
        Port("input_ids", ir.DataType.INT64, (batch, _NEW)),
        Port("encoder_hidden_states", floats, (batch, _HEARD, width)),
    ]
    outputs = [Port("logits", floats, (batch, _NEW, words))]
    for i, layer in enumerate(model.model.decoder.layers):
        for side, attention, before, after in (
            ("decoder", layer.self_attn, _OLD, f"{_OLD} + {_NEW}"),
            ("encoder", layer.encoder_attn, _HEARD, f"{_HEARD}_out"),
        ):
            count, size = _head_count(model, attention, i, side), int(attention.head_dim)
            for kind in ("key", "value"):
                end = f"{i}.{side}.{kind}"
                sizes = (batch, count, before, size)
                inputs.append(Port(f"past_key_values.{end}", floats, sizes))
                out = batch if side == "decoder" else f"{batch}_out"
                outputs.append(Port(f"present.{end}", floats, (out, count, after, size)))
    return inputs, outputs


def _head_count(model: Any, attention: Any, layer: int, side: str) -> int | str:
    """A name where heads were cut: readers fill the first call's empty cache by the configuration,
    which knows one count of heads for all layers."""
    count = heads(attention)
    usual = int(model.config.decoder_attention_heads)
    return count if count == usual else f"heads_{layer}_{side}"
