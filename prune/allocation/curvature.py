"""Mixed sparsity by curvature: layers in which a change of weights costs more loss keep more.

The measure is the trace of the loss's Hessian over a layer's weights: exact and free for one
layer's output error, as here; `prune.curvature` estimates it for the loss of the whole model.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from prune.allocation.budget import Counts, fit
from prune.allocation.outliers import normalised, spared
from speech.errors import BadInput


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
