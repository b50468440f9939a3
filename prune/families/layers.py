"""Which layers of which model may lose weights: the one place that knows names of modules."""

from typing import Any

from torch import nn

PrunableLayer = nn.Linear | nn.Conv1d


def prunable_layers(model: nn.Module) -> dict[str, PrunableLayer]:
    """Layers to prune by name, in the order in which the model runs them.

    Every Linear layer but the vocabulary projection, which Whisper ties to its embedding; of a CTC
    model also the convolutions that read the waveform.
    """
    projection = _vocabulary_projection(model)
    layers: dict[str, PrunableLayer] = {}
    for name, module in model.named_modules():
        linear = isinstance(module, nn.Linear) and module is not projection
        hearing = isinstance(module, nn.Conv1d) and ".feature_extractor." in name
        if linear or hearing:
            layers[name] = module
    return layers


def _vocabulary_projection(model: Any) -> nn.Module | None:
    return getattr(model, "proj_out", None) or getattr(model, "lm_head", None)


def hears_padding(name: str) -> bool:
    """Whether a Whisper layer's inputs are the frames of the whole window, padding included."""
    in_encoder = name.startswith("model.encoder.")
    return in_encoder or name.endswith(("encoder_attn.k_proj", "encoder_attn.v_proj"))
