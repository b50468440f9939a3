"""SEW, SEW-D and wav2vec 2.0 with a CTC head as one ONNX graph: a waveform to logits."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from export.disentangled import DisentangledAttention, Distances
from export.fused_attention import FusedAttention
from export.tracing import Signature, write_graph
from speech.errors import BadInput

#: Samples of the example. An odd count of frames, so that SEW has to fill up after squeezing.
_EXAMPLE = 16_321


def write_ctc(model: Any, path: Path) -> None:
    """`input_values` (1, samples) to `logits` (1, frames, symbols).

    Weight norm is folded into plain weights and attention fused, in a copy of the model.
    """
    kind = model.config.model_type
    if kind not in _WRAPPERS:
        raise BadInput(
            f"A {kind!r} model cannot be exported to ONNX yet: Secateur exports "
            f"whisper, {', '.join(_WRAPPERS)}."
        )
    model = copy.deepcopy(model)
    _fold_weight_norm(model)
    signature = Signature(
        inputs=(torch.zeros(1, _EXAMPLE),),
        axes=({1: "samples"},),
        input_names=["input_values"],
        output_names=["logits"],
    )
    write_graph(_WRAPPERS[kind](model), signature, path)


def shortest_audio(config: Any) -> int:
    """Samples below which the convolutions give no frame, SEW no squeezed one, an adapter none."""
    samples = int(getattr(config, "squeeze_factor", 1))
    if getattr(config, "add_adapter", False):
        for _ in range(config.num_adapter_layers):  # each is padded by one at both ends
            samples = (samples - 1) * config.adapter_stride + config.adapter_kernel_size - 2
            samples = max(samples, 1)
    strides = zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True)
    for kernel, stride in strides:
        samples = (samples - 1) * stride + kernel
    return samples


def _fold_weight_norm(model: nn.Module) -> None:
    """Give the positional convolution the weight that its weight norm computes.

    A new convolution takes the place of the parametrised one: removing the parametrisation would
    also change the class, which the original of a copied model shares.
    """
    for parent in list(model.modules()):
        for name, conv in list(parent.named_children()):
            if not (isinstance(conv, nn.Conv1d) and parametrize.is_parametrized(conv, "weight")):
                continue
            plain = nn.Conv1d(
                conv.in_channels,
                conv.out_channels,
                conv.kernel_size,  # type: ignore[arg-type]
                conv.stride,  # type: ignore[arg-type]
                conv.padding,  # type: ignore[arg-type]
                groups=conv.groups,
                bias=conv.bias is not None,
            )
            plain.weight = nn.Parameter(conv.weight.detach().clone())
            plain.bias = conv.bias
            setattr(parent, name, plain)


class _Wav2Vec2(nn.Module):
    def __init__(self, model: Any):
        super().__init__()
        self.model = model
        for layer in model.base_model.encoder.layers:
            layer.attention = FusedAttention(layer.attention)

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.model(values).logits
        return logits


class _Squeezed(nn.Module):
    """SEW and its kin with sizes that follow the input.

    The originals ask whether squeezing lost a frame; a tracer would take the answer for the
    example to hold for every length. Filling up by that difference, zero or not, needs no question.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, values: Tensor) -> Tensor:
        base = self.model.base_model
        frames = base.layer_norm(base.feature_extractor(values).transpose(1, 2))
        if base.project_features:
            frames = base.feature_projection(frames)
        hidden = base.encoder.upsample(self._transformed(self._squeeze(frames)))
        lost = frames.shape[1] - hidden.shape[1]
        hidden = torch.cat([hidden, hidden.new_zeros(1, lost, hidden.shape[2])], 1)
        logits: Tensor = self.model.lm_head(hidden)
        return logits

    def _squeeze(self, frames: Tensor) -> Tensor:
        """Pooled frames with positions; those are as many or one more, and then one too many."""
        encoder = self.model.base_model.encoder
        channels_first = frames.transpose(1, 2)
        pooled = encoder.pool(channels_first)
        positions = encoder.pos_conv_embed(channels_first)[..., : pooled.shape[-1]]
        squeezed: Tensor = (pooled + positions).transpose(1, 2)
        return squeezed

    def _transformed(self, hidden: Tensor) -> Tensor:
        raise NotImplementedError


class _Sew(_Squeezed):
    def __init__(self, model: Any):
        super().__init__(model)
        for layer in model.base_model.encoder.layers:
            layer.attention = FusedAttention(layer.attention)

    def _transformed(self, hidden: Tensor) -> Tensor:
        encoder = self.model.base_model.encoder
        hidden = encoder.layer_norm(hidden)
        for layer in encoder.layers:
            hidden = layer(hidden)
        return hidden


class _SewD(_Squeezed):
    def __init__(self, model: Any):
        super().__init__(model)
        encoder = model.base_model.encoder.encoder
        if not encoder.relative_attention or not model.config.pos_att_type:
            raise BadInput(
                "A 'sew-d' model without relative attention cannot be exported to ONNX: its "
                "config.json has relative_attention false, or no pos_att_type."
            )
        self.distances = Distances(encoder)
        for layer in encoder.layer:
            layer.attention.self = DisentangledAttention(layer.attention.self)

    def _transformed(self, hidden: Tensor) -> Tensor:
        encoder = self.model.base_model.encoder.encoder
        near = {
            "relative_pos": self.distances(hidden),
            "rel_embeddings": encoder.get_rel_embedding()[None],  # as a product of its own kind
        }
        for layer in encoder.layer:
            hidden = layer(hidden, None, **near)
        return hidden


_WRAPPERS: dict[str, type[nn.Module]] = {"sew": _Sew, "sew-d": _SewD, "wav2vec2": _Wav2Vec2}
