"""Mixed sparsity by curvature: layers in which a change of weights costs more loss keep more.

The measure is the trace of the loss's Hessian over a layer's weights: exact and free for one
layer's output error, estimated from Hessian-vector products for any other loss.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from prune.allocation.budget import Counts, fit
from prune.allocation.outliers import normalised, spared
from speech.errors import BadInput

#: The product of a loss's Hessian with a direction, both in the shape of the weight.
HessianProduct = Callable[[Tensor], Tensor]


def trace(
    traces: Mapping[str, float],
    sizes: Counts,
    total: int,
    *,
    alpha: float = 0.2,
    floors: Counts | None = None,
    ceilings: Counts | None = None,
) -> dict[str, int]:
    """The greater the logarithm of a layer's trace per weight, the lower its sparsity.

    `alpha` is the difference in sparsity between the most and the least sensitive layer. A trace of
    zero or below (a dead layer, or noise of the estimate) counts as the least positive one.
    Without `ceilings` no layer loses more than half of what the overall sparsity would leave it.
    """
    if not 0 <= alpha <= 1:
        raise BadInput(f"alpha is {alpha}: give the span of sparsities as 0 to 1.")
    for name in sizes:
        if not math.isfinite(traces[name]):
            raise BadInput(
                f"{name} has a Hessian trace of {traces[name]}: "
                "look for broken weights or calibration clips."
            )
    ceilings = ceilings or spared(sizes, total, floors)
    per_weight = {name: traces[name] / size for name, size in sizes.items()}
    least = min((value for value in per_weight.values() if value > 0), default=1.0)
    logs = {name: math.log(max(value, least)) for name, value in per_weight.items()}
    wished = {name: -alpha * height for name, height in normalised(logs).items()}
    return fit(sizes, wished, total, floors=floors, ceilings=ceilings)


def linear_trace(hessian: Tensor, outputs: int) -> float:
    """Trace for the error ½ mean ‖(W - V) x‖² of one layer, from its inputs' Hessian X Xᵀ / n.

    Every output has the same inputs and so the same curvature.
    """
    return outputs * float(hessian.diagonal().sum())


def hutchinson(
    product: HessianProduct,
    shape: torch.Size | tuple[int, ...],
    *,
    samples: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> float:
    """Estimate of a Hessian's trace: the mean of vᵀ H v over random signs v.

    Signs are drawn on the CPU, so that a seed gives the same ones on every device. The estimate is
    exact for a diagonal Hessian; else its error falls with the square root of `samples`.
    """
    if samples < 1:
        raise BadInput(f"hutchinson needs at least one sample, not {samples}.")
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(samples):
        signs = torch.randint(0, 2, tuple(shape), generator=generator).to(torch.float32) * 2 - 1
        direction = signs.to(device)
        total += float((direction * product(direction)).sum())
    return total / samples


def hessian_product(loss: Callable[[Tensor], Tensor], weight: Tensor) -> HessianProduct:
    """Hessian-vector products of a loss of one weight, by differentiating its gradient.

    The graph is built once and kept for all products.
    """
    with torch.enable_grad():
        point = weight.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(point), point, create_graph=True)

    def product(direction: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the weight
            return torch.zeros_like(point)
        (curved,) = torch.autograd.grad(
            gradient, point, direction.to(point), retain_graph=True, allow_unused=True
        )
        return torch.zeros_like(point) if curved is None else curved

    return product
