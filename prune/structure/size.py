"""How much of a model is really gone: weights before and after, and the zeros among the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from prune.families.layers import prunable_layers
from runtime.bundle import Sparsity


@dataclass(frozen=True)
class Size:
    """Counts of weights; of the dense model one is taken before anything is cut."""

    #: Of each prunable layer, biases not counted.
    layers: Mapping[str, int]
    #: Of all parameters, a tied embedding once.
    model: int
    #: Whether the vocabulary projection is among the layers.
    tied: bool = False

    @property
    def prunable(self) -> int:
        return sum(self.layers.values())


def size(model: Any, *, tied: bool = False) -> Size:
    """Weights that are there, zero or not."""
    prunable = prunable_layers(model, tied=tied)
    layers = {name: layer.weight.numel() for name, layer in prunable.items()}
    return Size(layers, sum(parameter.numel() for parameter in model.parameters()), tied)


def prunable_weights(model: Any) -> int:
    return size(model).prunable


def sparsity_since(
    dense: Size, model: Any, requested: float | None, origins: Mapping[str, str] | None = None
) -> Sparsity:
    """Shares of the dense model's weights that are removed or zero.

    Layers go by their names in the dense model: `origins` maps the blocks that moved up when
    others were dropped to the names they had, as `prune.structure.layers.drop_layers` returns it.
    """
    left = {
        original_name(name, origins or {}): _nonzero(layer.weight)
        for name, layer in prunable_layers(model, tied=dense.tied).items()
    }
    alive = sum(_nonzero(parameter) for parameter in model.parameters())
    return Sparsity(
        requested=requested,
        achieved=1 - sum(left.values()) / dense.prunable,
        model=1 - alive / dense.model,
        layers={name: 1 - left.get(name, 0) / count for name, count in dense.layers.items()},
    )


def original_name(name: str, origins: Mapping[str, str]) -> str:
    """What a layer or group of a model that lost blocks was called before."""
    for new, old in origins.items():
        if name.startswith(f"{new}."):
            return old + name.removeprefix(new)
    return name


def _nonzero(weight: Tensor) -> int:
    return int((weight != 0).sum())
