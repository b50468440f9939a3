"""OBS on one layer: better than the published loop, exact where it says so."""

from itertools import combinations

import pytest
import torch
from torch import Tensor

from benchmarks.sparsegpt_loop import published_loop
from prune.allocation.masks import lowest
from prune.reconstruct import damped, layer_error, refit, sweep
from prune.solve import Solver, cut_to_count
from speech.errors import BadInput

INPUTS, OUTPUTS = 384, 1536


def layer(seed: int, correlation: float = 0.97) -> tuple[Tensor, Tensor]:
    """A weight and the Hessian of correlated activations: so much is shared by neighbours."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.arange(INPUTS, dtype=torch.float64)
    covariance = correlation ** (place[:, None] - place).abs()
    noise = torch.randn(INPUTS, 4 * INPUTS, generator=generator, dtype=torch.float64)
    inputs = torch.linalg.cholesky(covariance) @ noise
    weight = torch.randn(OUTPUTS, INPUTS, generator=generator, dtype=torch.float64)
    return weight, inputs @ inputs.T / inputs.shape[1]


@pytest.mark.long_but("0", "5")
@pytest.mark.parametrize(("seed", "correlation"), [*((seed, 0.97) for seed in range(5)), (5, 0.9)])
def test_obs_beats_the_published_loop_and_magnitude(seed: int, correlation: float) -> None:
    """The ratios seen are 0.17 to 0.31 of the loop's error and 0.03 to 0.13 of magnitude's."""
    weight, hessian = layer(seed, correlation)
    solver = Solver(hessian.float())
    for sparsity in (0.5, 0.7, 0.8):
        zeros = round(sparsity * weight.numel())
        ours = solver.solve(weight.float(), cut_to_count(zeros))
        loop = layer_error(weight, published_loop(weight, hessian, sparsity), hessian)
        plain = layer_error(weight, weight * lowest(weight.abs(), zeros), hessian)
        quick = solver.solve_quickly(weight.float(), zeros)
        assert ours.error <= 0.40 * loop
        assert ours.error <= 0.20 * plain
        assert ours.error < quick.error <= 0.80 * loop
        for solution in (ours, quick):
            assert solution.error == pytest.approx(
                layer_error(weight, solution.weight.double(), hessian), rel=1e-3
            )
            # One weight in a million is fitted to exactly zero.
            assert 0 <= int((solution.weight == 0).sum()) - zeros <= 2


def test_zeros_that_are_there_count_in_both_ways_to_solve() -> None:
    weight, hessian = (tensor.float() for tensor in layer(0))
    weight[:, :200] *= (
        torch.rand(len(weight), 200, generator=torch.Generator().manual_seed(1)) > 0.7
    )
    there, zeros = weight == 0, round(0.6 * weight.numel())
    solver = Solver(hessian)
    for solution in (
        solver.solve(weight, cut_to_count(zeros)),
        solver.solve_quickly(weight, zeros),
    ):
        assert (solution.weight[there] == 0).all()
        assert int((solution.weight == 0).sum()) == zeros


def test_the_mask_search_comes_near_the_best_mask_where_all_can_be_tried() -> None:
    """All masks of 3 of 8 inputs, refitted: the search loses a tenth to the best."""
    ratios = []
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(8, 40, generator=generator)
        inputs[1:] += 0.9 * inputs[:-1]
        weight = torch.randn(1, 8, generator=generator)
        solver = Solver(inputs @ inputs.T / 40)
        tried = []
        for chosen in combinations(range(8), 3):
            keep = torch.zeros(1, 8, dtype=torch.bool)
            keep[0, list(chosen)] = True
            fitted = refit(weight, keep, solver.damped.hessian)
            tried.append(layer_error(weight, fitted, inputs @ inputs.T / 40))
        ratios.append(solver.solve(weight, cut_to_count(5)).error / min(tried))
    assert sum(ratios) / len(ratios) <= 1.12
    assert max(ratios) <= 2


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


def test_the_two_ways_to_refit_agree() -> None:
    """Rows that keep many inputs are iterated: to within 0.5 % of the exact solution's error."""
    weight, hessian = layer(0)
    ready = damped(hessian, "fc1")
    kept = (
        torch.rand(len(weight), INPUTS, generator=torch.Generator().manual_seed(2)) > 0.9
    ).double()
    few, many = weight[:64], torch.cat([kept[:63], torch.ones(1, INPUTS).double()]) > 0
    exact = torch.cat([refit(few[:63], many[:63], ready.hessian), few[63:]])
    iterated = refit(few, many, ready.hessian)  # the full row is beyond what is factored
    assert (iterated[~many] == 0).all()
    assert layer_error(few, iterated, ready.hessian) <= 1.005 * layer_error(
        few, exact, ready.hessian
    )


def test_dead_inputs_lose_their_weights_first_and_break_nothing() -> None:
    weight, hessian = layer(0)
    hessian[:40], hessian[:, :40] = 0, 0
    ready = damped(hessian, "fc1")
    assert ready.dead.nonzero().flatten().tolist() == list(range(40))
    swept, keep = sweep(weight, ready, weight.numel() // 2)
    fitted = refit(weight, keep, ready.hessian)
    assert swept.isfinite().all()
    assert fitted.isfinite().all()
    assert (swept[:, :40] == 0).all()


def test_damping_grows_only_as_far_as_it_must_and_says_so() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(50, 3, generator=generator)
    ready = damped(one @ one.T, "fc1")  # rank 3 of 50
    assert ready.damping == 0.01
    negative = torch.eye(8)
    negative[0, 1] = negative[1, 0] = 1.05
    assert damped(negative, "fc1").damping == pytest.approx(0.1)
    with pytest.raises(BadInput, match=r"fc1 .* NaN or infinite"):
        damped(torch.full((4, 4), float("nan")), "fc1")


def test_the_ends_of_the_scale() -> None:
    weight, hessian = layer(1)
    ready = damped(hessian, "fc1")
    same, all_kept = sweep(weight, ready, 0)
    assert torch.equal(same, weight)
    assert all_kept.all()
    nothing, none_kept = sweep(weight, ready, weight.numel())
    assert not none_kept.any()
    assert (nothing == 0).all()
    assert (refit(weight, none_kept, ready.hessian) == 0).all()
