"""How much each weight matters: higher scores are kept."""

from collections.abc import Mapping

from torch import Tensor


def magnitude(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The absolute value: large weights matter, whatever they are multiplied with."""
    return {name: weight.detach().abs() for name, weight in weights.items()}
