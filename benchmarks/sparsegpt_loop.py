"""The published SparseGPT loop, to compare with: blocks of 128, 1 % damping, and no refit."""

import torch
from torch import Tensor


def published_loop(weight: Tensor, hessian: Tensor, sparsity: float) -> Tensor:
    """The pruned weight, written from the description in the paper."""
    weight, hessian = weight.clone(), hessian.clone()
    hessian.diagonal().add_(0.01 * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    upper = torch.linalg.cholesky(inverse, upper=True)
    for i1 in range(0, weight.shape[1], 128):
        i2 = min(i1 + 128, weight.shape[1])
        w, u = weight[:, i1:i2].clone(), upper[i1:i2, i1:i2]
        scores = w**2 / u.diagonal() ** 2
        threshold = scores.flatten().sort().values[int(scores.numel() * sparsity)]
        gone, errors = scores <= threshold, torch.zeros_like(w)
        for i in range(i2 - i1):
            q = w[:, i].clone()
            q[gone[:, i]] = 0
            errors[:, i] = (w[:, i] - q) / u[i, i]
            w[:, i:] -= errors[:, i : i + 1] @ u[i : i + 1, i:]
            w[:, i] = q
        weight[:, i1:i2] = w
        weight[:, i2:] -= errors @ upper[i1:i2, i2:]
    return weight
