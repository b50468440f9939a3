"""The parts of a model that a sensitivity measurement cuts one at a time."""

from collections.abc import Iterable
from typing import Any

from prune.damage import By
from prune.families.chains import chains
from prune.families.layers import component, prunable_layers


def regions(model: Any, layers: Iterable[str], by: By) -> dict[str, tuple[str, ...]]:
    """The layers of each region that has any, in the order in which the model runs them.

    Layers and blocks go by their names without the model's own (`encoder.layers.0`), which every
    pattern of layers understands.
    """
    found: dict[str, list[str]] = {}
    blocks = [link for chain in chains(model) for link in chain.links]
    has_decoder = any(component(name).startswith("decoder.") for name in prunable_layers(model))
    for name in layers:
        match by:
            case "layer":
                region = _short(name)
            case "component":
                region = component(name)
            case "block":
                region = _short(next(b for b in blocks if name == b or name.startswith(f"{b}.")))
            case "side":
                region = _side(name, has_decoder)
        found.setdefault(region, []).append(name)
    return {region: tuple(names) for region, names in found.items()}


def _short(name: str) -> str:
    return name.partition(".")[2] or name


def _side(name: str, has_decoder: bool) -> str:
    """A CTC model's sides part where fine-tuning usually freezes it: after the convolutions."""
    place = component(name)
    if has_decoder:
        return "decoder" if place.startswith("decoder.") else "encoder"
    return "feature extractor" if place == "features" else "transformer"
