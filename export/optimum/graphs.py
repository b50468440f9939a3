"""Whisper as the two ONNX graphs that optimum and transformers.js look for.

Their encoder ends at its hidden states. Their decoder is two in one file: the first call computes
the cross-attention's keys and values, later ones are given them. Both branches share one copy of
every weight, the tied embedding among them. Sizes come from the weights, so layers may be uneven.
"""

import tempfile
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.fused_attention import heads
from export.optimum.merge import Port, merged
from export.tracing import Signature, write_graph
from export.whisper_parts import Decoder, caches, cross_attention, encode, turned

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
        return encode(self.encoder, features)


class _First(Decoder):
    def forward(self, tokens: Tensor, heard: Tensor) -> list[Tensor]:
        layers = self.decoder.layers
        empty = [
            heard.new_zeros(heard.shape[0], heads(layer.self_attn), 0, layer.self_attn.head_dim)
            for layer in layers
            for _ in ("key", "value")
        ]
        cross = cross_attention([layer.encoder_attn for layer in layers], heard)
        hidden, grown = self.decode(self.embed(tokens), empty, turned(cross))
        return [self.decoder.layer_norm(hidden) @ self.table, *grown, *cross]


class _Later(Decoder):
    def forward(self, tokens: Tensor, past: list[Tensor], cross: list[Tensor]) -> list[Tensor]:
        hidden, grown = self.decode(self.embed(tokens), past, turned(cross))
        return [self.decoder.layer_norm(hidden) @ self.table, *grown]


def _attentions(model: Any, name: str) -> list[Any]:
    return [getattr(layer, name) for layer in model.model.decoder.layers]


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
    past = caches(_attentions(model, "self_attn"), 5, batch=2)
    cross = caches(_attentions(model, "encoder_attn"), 11, batch=2)
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
