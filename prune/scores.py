"""How much each weight matters: higher scores are kept."""

from torch import Tensor


def magnitude(weight: Tensor, hessian: Tensor | None) -> Tensor:
    """The absolute value: large weights matter, whatever they are multiplied with."""
    return weight.abs()


def wanda(weight: Tensor, hessian: Tensor | None) -> Tensor:
    """The absolute value times the input's norm: the diagonal of OBS, and no update."""
    assert hessian is not None
    return weight.abs() * hessian.diagonal().clamp_min(0).sqrt()
