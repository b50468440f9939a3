"""The named methods, and pruning a model with one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prune import allocate, scores
from prune.families import prunable_layers
from prune.names import check_method
from runtime.bundle import Sparsity
from speech.errors import BadInput

Score = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
Allocation = Callable[[Mapping[str, Tensor], float], dict[str, Tensor]]


@dataclass(frozen=True)
class Method:
    score: Score
    allocation: Allocation


#: One row a name of `prune.names`.
METHODS: dict[str, Method] = {
    "mp_global": Method(scores.magnitude, allocate.globally),
    "mp_local": Method(scores.magnitude, allocate.uniformly),
}


@torch.no_grad()
def prune(model: nn.Module, method: str, sparsity: float) -> Sparsity:
    """Set the least important of the prunable weights to zero, in place."""
    check_method(method)
    chosen = METHODS[method]
    if not 0 <= sparsity <= 1:
        raise BadInput(f"sparsity {sparsity} is not between 0 and 1.")
    layers = prunable_layers(model)
    weights = {name: layer.weight for name, layer in layers.items()}
    masks = chosen.allocation(chosen.score(weights), sparsity)
    for name, keep in masks.items():
        weights[name].masked_fill_(~keep, 0)
    return count_zeros(model, sparsity)


def count_zeros(model: nn.Module, requested: float) -> Sparsity:
    """Exact zeros in each prunable layer, in all of them, and in the whole model."""
    zeros = {name: _zeros(layer.weight) for name, layer in prunable_layers(model).items()}
    sizes = {name: layer.weight.numel() for name, layer in prunable_layers(model).items()}
    parameters = list(model.parameters())
    return Sparsity(
        requested=requested,
        achieved=sum(zeros.values()) / sum(sizes.values()),
        model=sum(map(_zeros, parameters)) / sum(p.numel() for p in parameters),
        layers={name: zeros[name] / sizes[name] for name in zeros},
    )


def _zeros(weight: Tensor) -> int:
    return int((weight == 0).sum())
