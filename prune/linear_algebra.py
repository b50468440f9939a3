"""Factorising matrices wherever the device can; an Apple GPU hands them to the CPU and back."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

import torch
from torch import Tensor

_Result = TypeVar("_Result", Tensor, tuple[Tensor, Tensor])

#: Devices without eigenvectors, and with Cholesky in recent versions only.
_LACKING = ("mps",)


def _where_it_can(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Run on the CPU if the tensors' device lacks the operators, and bring the result back."""

    @wraps(function)
    def run(*tensors: Tensor) -> _Result:
        device = tensors[0].device
        if device.type not in _LACKING:
            return function(*tensors)
        result = function(*(tensor.cpu() for tensor in tensors))
        if isinstance(result, tuple):
            return cast(_Result, tuple(part.to(device) for part in result))
        return result.to(device)

    return run


@_where_it_can
def inverse_factor(matrix: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse of a positive definite matrix."""
    inverted = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    factor: Tensor = torch.linalg.cholesky(inverted, upper=True)
    return factor


@_where_it_can
def solved(systems: Tensor, right: Tensor) -> Tensor:
    """Solutions of positive definite systems (…, n, n) for right sides (…, n, columns)."""
    answer: Tensor = torch.cholesky_solve(right, torch.linalg.cholesky(systems))
    return answer


@_where_it_can
def inverse(matrix: Tensor) -> Tensor:
    """Of a positive definite matrix."""
    result: Tensor = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
    return result


@_where_it_can
def whitened(matrix: Tensor, right: Tensor) -> Tensor:
    """L⁻¹ R, where L Lᵀ is the positive definite matrix: ‖L⁻¹ R‖² = Rᵀ M⁻¹ R. May be batched."""
    factor = torch.linalg.cholesky(matrix)
    result: Tensor = torch.linalg.solve_triangular(factor, right, upper=False)
    return result


@_where_it_can
def is_positive_definite(matrix: Tensor) -> Tensor:
    """One boolean."""
    info: Tensor = torch.linalg.cholesky_ex(matrix).info
    return info == 0
