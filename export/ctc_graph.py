"""SEW and wav2vec 2.0 with a CTC head as one ONNX graph: a waveform of any length to logits."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

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
    for layer in model.base_model.encoder.layers:
        layer.attention = FusedAttention(layer.attention)
    signature = Signature(
        inputs=(torch.zeros(1, _EXAMPLE),),
        axes=({1: "samples"},),
        input_names=["input_values"],
        output_names=["logits"],
    )
    write_graph(_WRAPPERS[kind](model), signature, path)


def shortest_audio(config: Any) -> int:
    """Samples below which the convolutions give no frame, or SEW no squeezed one."""
    samples = int(getattr(config, "squeeze_factor", 1))
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

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.model(values).logits
        return logits


class _Sew(nn.Module):
    """`SEWForCTC` with sizes that follow the input.

    The original asks whether squeezing lost a frame; a tracer would take the answer for the
    example to hold for every length. Filling up by that difference, zero or not, needs no question.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, values: Tensor) -> Tensor:
        sew = self.model.sew
        frames = sew.layer_norm(sew.feature_extractor(values).transpose(1, 2))
        if sew.project_features:
            frames = sew.feature_projection(frames)
        hidden = self._squeeze(frames)
        for layer in sew.encoder.layers:
            hidden = layer(hidden)
        hidden = sew.encoder.upsample(hidden)
        lost = frames.shape[1] - hidden.shape[1]
        hidden = torch.cat([hidden, hidden.new_zeros(1, lost, hidden.shape[2])], 1)
        logits: Tensor = self.model.lm_head(hidden)
        return logits

    def _squeeze(self, frames: Tensor) -> Tensor:
        """Pooled frames with positions; those are as many or one more, and then one too many."""
        encoder = self.model.sew.encoder
        channels_first = frames.transpose(1, 2)
        pooled = encoder.pool(channels_first)
        positions = encoder.pos_conv_embed(channels_first)[..., : pooled.shape[-1]]
        squeezed: Tensor = encoder.layer_norm((pooled + positions).transpose(1, 2))
        return squeezed


_WRAPPERS: dict[str, type[nn.Module]] = {"sew": _Sew, "wav2vec2": _Wav2Vec2}
