"""Outlier-weighed layer sparsity (OWL): layers with many outliers among their scores keep more."""

from collections.abc import Mapping

from torch import Tensor

from prune.allocation.budget import Counts, bounds, fit, sizes_of
from prune.allocation.threshold import refuse_nan
from speech.errors import BadInput


def owl(
    scores: Mapping[str, Tensor],
    total: int,
    *,
    m: float = 5.0,
    lam: float = 0.08,
    floors: Counts | None = None,
    ceilings: Counts | None = None,
) -> dict[str, int]:
    """The more outliers, the lower a layer's sparsity; from most to fewest they span 2 `lam`.

    An outlier is a score above `m` times its layer's mean; the published choice of score is
    weight times input norm (`prune.scores.wanda`). Layers that all agree get the same sparsity.
    Without `ceilings` no layer loses more than half of what the overall sparsity would leave it.
    """
    refuse_nan(scores)
    if not m > 0:
        raise BadInput(f"owl's m is {m}: give a number above 0, 5 as published.")
    if not 0 <= lam <= 0.5:
        raise BadInput(f"owl's lambda is {lam}: give 0 to 0.5, 0.08 as published.")
    outliers = {name: outlier_ratio(score, m) for name, score in scores.items()}
    sizes = sizes_of(scores)
    ceilings = ceilings or spared(sizes, total, floors)
    wished = {name: -2 * lam * share for name, share in normalised(outliers).items()}
    return fit(sizes, wished, total, floors=floors, ceilings=ceilings)


def outlier_ratio(scores: Tensor, m: float) -> float:
    """Share of the scores above `m` times their mean; scores of -inf (zeros there) do not count."""
    counted = scores[~scores.isneginf()].float()
    if not counted.numel():
        return 0.0
    return float((counted > m * counted.mean()).float().mean())


def normalised(values: Mapping[str, float]) -> dict[str, float]:
    """The least as 0 and the greatest as 1; all 0 where they agree."""
    low, span = min(values.values()), max(values.values()) - min(values.values())
    return {name: (value - low) / span if span > 0 else 0.0 for name, value in values.items()}


def spared(sizes: Counts, total: int, floors: Counts | None = None) -> dict[str, int]:
    """Ceilings that save every layer from being emptied for the sake of the others.

    A layer keeps at least half the share of weights that the total leaves on average; a layer
    that has more zeros than that already keeps what it has.
    """
    bounds(sizes, total, floors, None)
    whole = sum(sizes.values())
    kept = {name: size * (whole - total) // (2 * whole) for name, size in sizes.items()}
    return {
        name: max(size - kept[name], (floors or {}).get(name, 0)) for name, size in sizes.items()
    }
