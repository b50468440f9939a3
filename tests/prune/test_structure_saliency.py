"""The order of removal and the refit on one layer: exact where they say so, better than a guess."""

import pytest
import torch
from torch import Tensor

from prune.reconstruct import Damped, damped, layer_error
from prune.structure.saliency import (
    columns_of,
    compensate,
    removal_order,
)

INPUTS, OUTPUTS, FRAMES = 48, 20, 4000


def frames(seed: int) -> Tensor:
    """Correlated inputs that are seldom 0 in the mean, (inputs, frames)."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(INPUTS, INPUTS // 2, generator=generator, dtype=torch.float64)
    hidden = torch.randn(INPUTS // 2, FRAMES, generator=generator, dtype=torch.float64)
    own = torch.randn(INPUTS, FRAMES, generator=generator, dtype=torch.float64)
    offset = torch.randn(INPUTS, 1, generator=generator, dtype=torch.float64)
    return mix @ hidden + own + 3 * offset


def layer(seed: int) -> tuple[Tensor, Damped]:
    inputs = frames(seed)
    generator = torch.Generator().manual_seed(seed + 100)
    weight = torch.randn(OUTPUTS, INPUTS, generator=generator, dtype=torch.float64)
    return weight, damped(inputs @ inputs.T / FRAMES, "fc1")


def widened(columns: Tensor, kept: Tensor) -> Tensor:
    weight = torch.zeros(OUTPUTS, INPUTS, dtype=torch.float64)
    weight[:, kept] = columns
    return weight


def error_without(weight: Tensor, hessian: Damped, gone: Tensor) -> float:
    """What is lost at best, in absolute terms."""
    kept = torch.tensor([i for i in range(INPUTS) if i not in gone.tolist()], dtype=torch.long)
    lost = weight - widened(compensate(weight, hessian, kept), kept)
    return float((lost @ hessian.hessian @ lost.T).trace())


def test_the_survivors_are_the_least_squares_fit() -> None:
    inputs = frames(0)
    weight, _ = layer(0)
    exact = Damped(inputs @ inputs.T, 0.0, torch.zeros(INPUTS, dtype=torch.bool))
    kept = torch.arange(0, INPUTS, 3)
    best = torch.linalg.lstsq(inputs[kept].T, (weight @ inputs).T).solution.T
    assert torch.allclose(compensate(weight, exact, kept), best, atol=1e-8)


@pytest.mark.parametrize("group_size", [1, 4, 12])
@pytest.mark.parametrize("together", [1, 3, 50])
def test_the_costs_add_up_to_what_is_really_lost(group_size: int, together: int) -> None:
    weight, hessian = layer(1)
    removal = removal_order(weight, hessian, group_size, together=together)
    groups = INPUTS // group_size
    assert sorted(removal.order.tolist()) == list(range(groups))
    whole = float((weight @ hessian.hessian @ weight.T).trace())
    for count in (1, 2, groups // 2, groups - 1):
        gone = columns_of(removal.order[:count], group_size)
        assert whole * float(removal.costs[:count].sum()) == pytest.approx(
            error_without(weight, hessian, gone)
        )
    assert float(removal.costs.sum()) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_greedy_with_updates_loses_less_than_independent_scores(seed: int) -> None:
    weight, hessian = layer(seed)
    half = INPUTS // 2
    greedy = removal_order(weight, hessian, together=1).order[:half]
    alone = weight.square().sum(0) / torch.linalg.inv(hessian.hessian).diagonal()
    small = weight.square().sum(0)
    lost = error_without(weight, hessian, greedy)
    assert lost < error_without(weight, hessian, alone.argsort()[:half])
    assert lost < 0.8 * error_without(weight, hessian, small.argsort()[:half])


def test_of_two_neurons_that_say_the_same_one_goes_first_and_costs_nothing() -> None:
    inputs = frames(3)
    inputs[7] = 2 * inputs[30]
    weight, _ = layer(3)
    exact = Damped(
        inputs @ inputs.T / FRAMES + 1e-9 * torch.eye(INPUTS, dtype=torch.float64),
        0.0,
        torch.zeros(INPUTS, dtype=torch.bool),
    )
    removal = removal_order(weight, exact)
    assert int(removal.order[0]) in (7, 30)
    assert float(removal.costs[0]) < 1e-6 * float(removal.costs.sum())


def test_inputs_that_were_never_heard_go_first_and_free() -> None:
    weight, ready = layer(2)
    hessian = ready.hessian.clone()
    hessian[10:13], hessian[:, 10:13] = 0, 0
    removal = removal_order(weight, damped(hessian, "fc1"), together=1)
    assert sorted(removal.order[:3].tolist()) == [10, 11, 12]
    assert float(removal.costs[:3].sum()) == 0


def test_neurons_that_go_together_by_default_hardly_cost_more_than_one_by_one() -> None:
    # 384 neurons: 4 of them at a time.
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(384, 200, generator=generator).double() @ torch.randn(
        200, 2000, generator=generator
    ).double().relu() + torch.randn(384, 2000, generator=generator)
    weight = torch.randn(96, 384, generator=generator).double()
    hessian = damped(inputs @ inputs.T / 2000, "fc1")
    kept = {
        together: removal_order(weight, hessian, together=together).order[192:].sort().values
        for together in (1, None)
    }
    errors = {}
    for together, stays in kept.items():
        pruned = torch.zeros_like(weight)
        pruned[:, stays] = compensate(weight, hessian, stays)
        errors[together] = layer_error(weight, pruned, hessian.hessian)
    assert errors[None] < 1.03 * errors[1]
