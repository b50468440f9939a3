"""How much each weight matters: higher scores are kept. Pure functions of tensors."""

from torch import Tensor


def magnitude(weight: Tensor) -> Tensor:
    """The absolute value: large weights matter, whatever they are multiplied with."""
    return weight.abs()


def wanda(weight: Tensor, hessian: Tensor) -> Tensor:
    """The absolute value times the input's norm: the diagonal of OBS, and no update."""
    return weight.abs() * hessian.diagonal().clamp_min(0).sqrt()


def obs_diag(weight: Tensor, fisher: Tensor, gradient: Tensor | None = None) -> Tensor:
    """How much the loss rises, to second order, if this weight alone goes: ½ F w² (- g w).

    `fisher` is the mean over clips of the squared gradient (the empirical Fisher), `gradient` the
    mean itself, which is near zero for a model that has learnt all it can.
    """
    rise = 0.5 * fisher * weight.square()
    return rise if gradient is None else rise - gradient * weight


def taylor(weight: Tensor, gradient: Tensor) -> Tensor:
    """How much the loss of a clip moves, to first order, if this weight alone goes: |g w|.

    `gradient` is the mean over clips of the gradient's absolute value.
    """
    return gradient * weight.abs()
