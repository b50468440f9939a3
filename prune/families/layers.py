"""Which layers of which model may lose weights: the one place that knows names of modules.

Whisper gives its Linear layers. SEW, SEW-D and wav2vec 2.0 also give the convolutions that read the
waveform; their positional convolution is left alone, because it is weight-normed (its weight is
computed anew at every call, so that zeros would not last) and grouped. Whisper's two convolutions
over the spectrogram, embeddings, norms and biases are left alone in every method known to us.
"""

import re
from collections.abc import Callable

from torch import nn

PrunableLayer = nn.Linear | nn.Conv1d

#: What a layer's name says about its place; the first that is found in the name counts.
_PLACES = (
    (r"^(proj_out|lm_head)$", "vocabulary"),
    (r"\.feature_extractor\.", "features"),
    (r"\.feature_projection\b", "projection"),
    (r"\.decoder\..*\.self_attn\.", "decoder.self_attention"),
    (r"\.decoder\..*\.encoder_attn\.", "decoder.cross_attention"),
    (r"\.decoder\..*\.fc[12]$", "decoder.ffn"),
    (r"\.upsample\.", "encoder.upsample"),
    (r"\.adapter(_layer)?\.", "encoder.adapter"),
    (r"\.(self_attn|attention)\.", "encoder.attention"),
    (r"\.(fc[12]|feed_forward|intermediate|output)\b", "encoder.ffn"),
)

#: Every component of some model, in the order in which models run them.
COMPONENTS = (
    "features",
    "projection",
    "encoder.attention",
    "encoder.ffn",
    "encoder.adapter",
    "encoder.upsample",
    "decoder.self_attention",
    "decoder.cross_attention",
    "decoder.ffn",
    "vocabulary",
)

#: The projections of an attention as its forward calls them; modules list them as k, v, q, out.
_CALLS = {"q_proj": 0, "k_proj": 1, "v_proj": 2, "out_proj": 3}


def prunable_layers(model: nn.Module, *, tied: bool = False) -> dict[str, PrunableLayer]:
    """Layers to prune by name, in the order in which the model first runs them.

    The vocabulary projection is left out unless `tied`: Whisper ties it to its embedding, one
    tensor that goes by the name of `proj_out`; in a CTC model it is the small `lm_head`.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d)
        and _is_prunable(name, module)
        and (tied or component(name) != "vocabulary")
    }
    return {name: layers[name] for name in sorted(layers, key=_call_order(list(layers)))}


def component(name: str) -> str:
    """The part of the model that a prunable layer belongs to: one of `COMPONENTS`.

    `features` are the convolutions over the waveform, `projection` leads from them to the
    transformer (which is "encoder" in a CTC model), `vocabulary` from the transformer to tokens.
    """
    for pattern, place in _PLACES:
        if re.search(pattern, name):
            return place
    raise ValueError(f"{name} is no layer of a model family known here")


def hears_padding(name: str) -> bool:
    """Whether a Whisper layer's inputs are the frames of the whole window, padding included."""
    in_encoder = name.startswith("model.encoder.")
    return in_encoder or name.endswith(("encoder_attn.k_proj", "encoder_attn.v_proj"))


def _is_prunable(name: str, module: PrunableLayer) -> bool:
    """A Linear layer or a convolution over the waveform whose weight is a plain parameter."""
    if "weight" not in module._parameters:  # weight norm and other parametrizations compute theirs
        return False
    return isinstance(module, nn.Linear) or (".feature_extractor." in name and module.groups == 1)


def _call_order(names: list[str]) -> Callable[[str], tuple[int, int]]:
    """Sort key: modules as they are registered, and within an attention as it calls them."""
    place = {name: index for index, name in enumerate(names)}
    attention: dict[str, int] = {}
    for name in names:
        attention.setdefault(name.rpartition(".")[0], place[name])

    def key(name: str) -> tuple[int, int]:
        parent, _, last = name.rpartition(".")
        return (attention[parent], _CALLS[last]) if last in _CALLS else (place[name], 0)

    return key
