"""OBS on one layer: better than the published loop, exact where it says so."""

import pytest
import torch
from torch import Tensor

from prune.allocate import lowest
from prune.reconstruct import damped, layer_error, refit, sweep

INPUTS, OUTPUTS = 384, 1536


def layer(seed: int) -> tuple[Tensor, Tensor]:
    """A weight and the Hessian of strongly correlated activations: neighbours share 0.97."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.arange(INPUTS, dtype=torch.float64)
    covariance = 0.97 ** (place[:, None] - place).abs()
    noise = torch.randn(INPUTS, 4 * INPUTS, generator=generator, dtype=torch.float64)
    inputs = torch.linalg.cholesky(covariance) @ noise
    weight = torch.randn(OUTPUTS, INPUTS, generator=generator, dtype=torch.float64)
    return weight, inputs @ inputs.T / inputs.shape[1]


def published_loop(weight: Tensor, hessian: Tensor, sparsity: float) -> Tensor:
    """SparseGPT as its paper has it: blocks of 128, 1 % damping, no refit. For the ratio only."""
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


@pytest.mark.parametrize("seed", range(5))
def test_obs_beats_the_published_loop_and_magnitude(seed: int) -> None:
    weight, hessian = layer(seed)
    ready = damped(hessian)
    for sparsity in (0.5, 0.7, 0.8):
        swept, keep = sweep(weight, ready, sparsity)
        ours = layer_error(weight, refit(weight, keep, ready.hessian), hessian)
        loop = layer_error(weight, published_loop(weight, hessian, sparsity), hessian)
        magnitude = lowest(weight.abs(), round(sparsity * weight.numel()))
        plain = layer_error(weight, weight * magnitude, hessian)
        assert ours <= 0.80 * loop
        assert ours <= 0.20 * plain
        assert ours < layer_error(weight, swept, hessian)
        assert int((~keep).sum()) == round(sparsity * weight.numel())


def test_refit_is_the_least_squares_solution_of_every_row() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 60, generator=generator, dtype=torch.float64)
    weight = torch.randn(7, 12, generator=generator, dtype=torch.float64)
    keep = torch.rand(7, 12, generator=generator) > 0.5
    keep[0], keep[1] = False, True
    fitted = refit(weight, keep, inputs @ inputs.T)
    for row in range(7):
        kept = keep[row]
        assert (fitted[row, ~kept] == 0).all()
        best = torch.linalg.lstsq(inputs[kept].T, (weight[row] @ inputs)[:, None]).solution[:, 0]
        assert torch.allclose(fitted[row, kept], best, atol=1e-9)


def test_dead_inputs_lose_their_weights_first_and_break_nothing() -> None:
    weight, hessian = layer(0)
    hessian[:40], hessian[:, :40] = 0, 0
    ready = damped(hessian)
    assert ready.dead.nonzero().flatten().tolist() == list(range(40))
    swept, keep = sweep(weight, ready, 0.5)
    fitted = refit(weight, keep, ready.hessian)
    assert swept.isfinite().all()
    assert fitted.isfinite().all()
    assert (swept[:, :40] == 0).all()


def test_damping_grows_only_as_far_as_it_must_and_says_so() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(50, 3, generator=generator)
    ready = damped(one @ one.T)  # rank 3 of 50
    assert ready.damping == 0.01
    negative = torch.eye(8)
    negative[0, 1] = negative[1, 0] = 1.05
    assert damped(negative).damping == pytest.approx(0.1)
    with pytest.raises(ValueError, match="NaN or infinite"):
        damped(torch.full((4, 4), float("nan")))


def test_the_ends_of_the_scale() -> None:
    weight, hessian = layer(1)
    ready = damped(hessian)
    same, all_kept = sweep(weight, ready, 0.0)
    assert torch.equal(same, weight)
    assert all_kept.all()
    nothing, none_kept = sweep(weight, ready, 1.0)
    assert not none_kept.any()
    assert (nothing == 0).all()
    assert (refit(weight, none_kept, ready.hessian) == 0).all()
