"""The named methods, and pruning a model with one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from prune import allocate, scores
from prune.families.layers import prunable_layers
from prune.names import check_method, is_calibrated
from prune.reconstruct import damped, refit, sweep
from runtime.bundle import Sparsity
from speech.errors import BadInput

Hessians = Mapping[str, Tensor]
Allocation = Callable[[Mapping[str, Tensor], float], dict[str, Tensor]]
#: One layer's weight as a matrix, its Hessian and the sparsity; gives the new weight.
Solve = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Masked:
    """Scores say what goes; what stays is left as it was."""

    score: Callable[[Tensor, Tensor | None], Tensor]
    allocation: Allocation


@dataclass(frozen=True)
class Solved:
    """Every layer is solved for: what goes, and what the rest becomes."""

    solve: Solve


def _obs(weight: Tensor, hessian: Tensor, sparsity: float) -> Tensor:
    ready = damped(hessian)
    _, keep = sweep(weight, ready, sparsity)
    return refit(weight, keep & (weight != 0), ready.hessian)


#: One row a name of `prune.names`.
METHODS: dict[str, Masked | Solved] = {
    "mp_global": Masked(scores.magnitude, allocate.globally),
    "mp_local": Masked(scores.magnitude, allocate.uniformly),
    "wanda": Masked(scores.wanda, allocate.uniformly_by_row),
    "obs": Solved(_obs),
}


@torch.no_grad()
def prune(
    model: nn.Module, method: str, sparsity: float, hessians: Hessians | None = None
) -> Sparsity:
    """Set the least important of the prunable weights to zero, in place.

    `hessians` are `prune.statistics.hessians` of the dense model, for methods that need them.
    """
    check_method(method)
    if not 0 <= sparsity <= 1:
        raise BadInput(f"sparsity {sparsity} is not between 0 and 1.")
    if is_calibrated(method) and hessians is None:
        raise BadInput(f"{method} needs speech to calibrate on: name a corpus.")
    chosen = METHODS[method]
    if sparsity > 0:
        if isinstance(chosen, Masked):
            _mask(model, chosen, sparsity, hessians or {})
        else:
            _solve(model, chosen.solve, sparsity, hessians or {})
    return count_zeros(model, sparsity)


def _mask(model: nn.Module, method: Masked, sparsity: float, hessians: Hessians) -> None:
    weights = {name: layer.weight for name, layer in prunable_layers(model).items()}
    ranked = {
        name: method.score(weight.flatten(1), hessians.get(name))
        for name, weight in weights.items()
    }
    for name, keep in method.allocation(ranked, sparsity).items():
        weights[name].masked_fill_(~keep.view_as(weights[name]), 0)


def _solve(model: nn.Module, solve: Solve, sparsity: float, hessians: Hessians) -> None:
    for name, layer in prunable_layers(model).items():
        try:
            solved = solve(layer.weight.flatten(1), hessians[name], sparsity)
        except ValueError as error:
            raise BadInput(f"{name} cannot be solved for: {error}.") from error
        layer.weight.copy_(solved.view_as(layer.weight))


def count_zeros(model: nn.Module, requested: float) -> Sparsity:
    """Exact zeros in each prunable layer, in all of them, and in the whole model."""
    layers = prunable_layers(model)
    zeros = {name: _zeros(layer.weight) for name, layer in layers.items()}
    sizes = {name: layer.weight.numel() for name, layer in layers.items()}
    parameters = list(model.parameters())
    return Sparsity(
        requested=requested,
        achieved=sum(zeros.values()) / sum(sizes.values()),
        model=sum(map(_zeros, parameters)) / sum(p.numel() for p in parameters),
        layers={name: zeros[name] / sizes[name] for name in zeros},
    )


def _zeros(weight: Tensor) -> int:
    return int((weight == 0).sum())
