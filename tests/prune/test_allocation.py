"""Zeros shared out among layers: always the exact total, and where each rule wants them."""

import math
from collections.abc import Callable, Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from prune.allocation.budget import bounds, fit, sizes_of, target, uniform, zeros_in
from prune.allocation.curvature import trace
from prune.allocation.masks import masked, zeros_first
from prune.allocation.outliers import outlier_ratio, owl, spared
from prune.allocation.profile import profile
from prune.allocation.search import search
from prune.allocation.threshold import by_threshold
from prune.checkpoint import Checkpoint
from prune.families.layers import component, prunable_layers
from speech.errors import BadInput

Scores = Mapping[str, Tensor]
GRID = [step / 10 for step in range(11)]

#: Every rule, from scores and a total to zeros for each layer.
RULES: dict[str, Callable[[Scores, int], dict[str, int]]] = {
    "uniform": lambda scores, total: uniform(sizes_of(scores), total),
    "threshold": by_threshold,
    "owl": owl,
    "trace": lambda scores, total: trace(
        {name: float(score.square().sum()) for name, score in scores.items()},
        sizes_of(scores),
        total,
    ),
    "profile": lambda scores, total: profile(
        sizes_of(scores),
        {name: component(name) for name in scores},
        {"encoder.ffn": total / sum(sizes_of(scores).values())},
        total,
    ),
    "search": lambda scores, total: search(
        {name: [float(score.sum()) * step**3 for step in GRID] for name, score in scores.items()},
        sizes_of(scores),
        total,
        grid=GRID,
    ),
}


def scores_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    layers = prunable_layers(checkpoint.model)
    return {name: layer.weight.detach().flatten(1).abs() for name, layer in layers.items()}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 1 / 3, 0.77, 0.999, 1.0])
def test_every_rule_hits_its_target_to_the_weight(
    tiny_checkpoint: Checkpoint, rule: str, sparsity: float
) -> None:
    scores = scores_of(tiny_checkpoint)
    sizes = sizes_of(scores)
    total = round(sparsity * sum(sizes.values()))
    zeros = RULES[rule](scores, total)
    assert sum(zeros.values()) == total
    assert all(0 <= zeros[name] <= size for name, size in sizes.items())
    masks = masked(scores, zeros)
    assert {name: int((~mask).sum()) for name, mask in masks.items()} == zeros
    assert RULES[rule](scores_of(tiny_checkpoint), total) == zeros


@pytest.mark.parametrize("rule", RULES)
def test_layers_that_agree_in_everything_get_the_same_or_no_worse(rule: str) -> None:
    """All scores tied: no division by zero, and still the exact total."""
    scores = {f"model.encoder.layers.{i}.fc1": torch.ones(3, 7) for i in range(4)}
    for total in (0, 1, 40, 83, 84):
        zeros = RULES[rule](scores, total)
        assert sum(zeros.values()) == total
        if rule not in ("threshold", "search"):  # they fill the first of equals
            assert max(zeros.values()) - min(zeros.values()) <= 1


def test_a_sparse_model_keeps_its_zeros_and_the_target_counts_them(
    tiny_checkpoint: Checkpoint,
) -> None:
    weights = {
        name: layer.weight.detach().flatten(1)
        for name, layer in prunable_layers(tiny_checkpoint.model).items()
    }
    generator = torch.Generator().manual_seed(0)
    for place, weight in enumerate(weights.values()):
        weight[torch.rand(weight.shape, generator=generator) < (0.1, 0.6, 0.0)[place % 3]] = 0
    floors, sizes = zeros_in(weights), sizes_of(weights)
    noise = {
        name: torch.rand(weight.shape, generator=generator) for name, weight in weights.items()
    }
    scores = {name: zeros_first(noise[name], weight) for name, weight in weights.items()}
    total = target(0.5, sizes)
    for zeros in (
        uniform(sizes, total, floors=floors),
        by_threshold(scores, total),
        owl(scores, total, floors=floors),
        trace(dict.fromkeys(sizes, 1.0), sizes, total, floors=floors),
        search(dict.fromkeys(sizes, GRID), sizes, total, grid=GRID, floors=floors),
    ):
        assert sum(zeros.values()) == total
        after = masked(scores, zeros)
        assert all((weight == 0)[after[name]].sum() == 0 for name, weight in weights.items())


counts = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@given(counts, st.data())
@settings(derandomize=True, deadline=None, max_examples=200)
def test_fit_is_exact_and_within_bounds_and_keeps_the_order_of_wishes(
    sizes: list[int], data: st.DataObject
) -> None:
    named = {str(i): size for i, size in enumerate(sizes)}
    pairs = {
        name: sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size))))
        for name, size in named.items()
    }
    floors = {name: pair[0] for name, pair in pairs.items()}
    ceilings = {name: pair[1] for name, pair in pairs.items()}
    wished = {name: data.draw(st.floats(-2, 2)) for name in named}
    total = data.draw(st.integers(sum(floors.values()), sum(ceilings.values())))
    zeros = fit(named, wished, total, floors=floors, ceilings=ceilings)
    assert sum(zeros.values()) == total
    for name, size in named.items():
        assert floors[name] <= zeros[name] <= ceilings[name]
        for other in named:
            free = floors[name] < zeros[name] and zeros[other] < ceilings[other]
            if free and wished[name] <= wished[other]:
                # One weight either way is rounding.
                assert (zeros[name] - 1) / size <= (zeros[other] + 1) / named[other] + 1e-9


def test_fit_moves_all_wishes_by_the_same_amount() -> None:
    zeros = fit({"a": 1000, "b": 3000}, {"a": 0.8, "b": 0.2}, 2000)
    assert zeros["a"] / 1000 - zeros["b"] / 3000 == pytest.approx(0.6, abs=0.001)
    assert fit({"a": 10, "b": 30}, {"a": 0.8, "b": 0.2}, 14) == {"a": 8, "b": 6}


def test_uniform_gives_the_largest_remainders_the_odd_weights() -> None:
    assert uniform({"a": 3, "b": 3, "c": 4}, 5) == {"a": 2, "b": 1, "c": 2}
    assert uniform({"a": 10, "b": 30}, 20, floors={"a": 8}) == {"a": 8, "b": 12}


@pytest.mark.parametrize("sparsity", [-0.1, 1.01, math.nan, math.inf])
def test_a_sparsity_that_is_none_is_refused(sparsity: float) -> None:
    with pytest.raises(BadInput, match="is not between 0 and 1"):
        target(sparsity, {"a": 10})


@pytest.mark.parametrize(("total", "near"), [(100, "0.4"), (990, "0.95")])
def test_an_unreachable_total_names_the_bounds_and_the_nearest(total: int, near: str) -> None:
    sizes = {"a": 500, "b": 500}
    with pytest.raises(BadInput, match=rf"allow 0\.4 to 0\.95, so ask for {near}\.$"):
        uniform(sizes, total, floors={"a": 400}, ceilings={"a": 450})


@given(st.integers(1, 10**7), st.data())
@settings(derandomize=True, deadline=None)
def test_the_nearest_sparsity_that_is_named_can_be_asked_for(
    size: int, data: st.DataObject
) -> None:
    floor = data.draw(st.integers(0, size))
    ceiling = data.draw(st.integers(floor, size))
    for wrong in {max(floor - 1, 0), min(ceiling + 1, size)} - {floor, ceiling}:
        with pytest.raises(BadInput) as caught:
            bounds({"a": size}, wrong, {"a": floor}, {"a": ceiling})
        near = float(str(caught.value).rpartition(" ")[2].rstrip("."))
        bounds({"a": size}, target(near, {"a": size}), {"a": floor}, {"a": ceiling})


def test_impossible_bounds_and_wishes_name_the_layer() -> None:
    with pytest.raises(BadInput, match="b has 5 weights and cannot have between 0 and 6 zeros"):
        uniform({"a": 5, "b": 5}, 3, ceilings={"b": 6})
    with pytest.raises(BadInput, match="b is to have the sparsity nan"):
        fit({"a": 5, "b": 5}, {"a": 0.5, "b": math.nan}, 3)
    with pytest.raises(BadInput, match="no weights to prune"):
        uniform({}, 0)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=4))
@settings(derandomize=True, deadline=None)
def test_a_threshold_takes_the_lowest_of_all_layers(values: list[list[int]]) -> None:
    scores = {str(i): torch.tensor(row, dtype=torch.float32) for i, row in enumerate(values)}
    everything = sorted(value for row in values for value in row)
    for total in range(len(everything) + 1):
        zeros = by_threshold(scores, total)
        assert sum(zeros.values()) == total
        gone = [v for name, row in scores.items() for v in sorted(row.tolist())[: zeros[name]]]
        assert sorted(gone) == everything[:total]


def test_scores_that_are_no_numbers_name_the_layer() -> None:
    scores = {"fine": torch.ones(2, 2), "broken": torch.tensor([[1.0, math.nan]])}
    for rule in (by_threshold, owl):
        with pytest.raises(BadInput, match="broken has scores that are not numbers"):
            rule(scores, 2)
    with pytest.raises(BadInput, match="broken has scores that are not numbers"):
        masked(scores, {"fine": 1, "broken": 1})
    with pytest.raises(BadInput, match="b has a Hessian trace of nan"):
        trace({"a": 1.0, "b": math.nan}, {"a": 4, "b": 4}, 3)


def with_outliers(share: float, rows: int, seed: int) -> Tensor:
    scores = torch.rand(rows, 100, generator=torch.Generator().manual_seed(seed)) + 0.5
    scores[:, : round(100 * share)] = 50.0
    return scores


def test_owl_spans_two_lambda_and_weighs_by_parameters() -> None:
    """An encoder-decoder has layers of very different sizes; the overall target still holds."""
    scores = {"large": with_outliers(0, 400, 0), "small": with_outliers(0.04, 20, 1)}
    scores["middling"] = with_outliers(0.02, 60, 2)
    zeros = owl(scores, target(0.6, sizes_of(scores)))
    sparsity = {name: zeros[name] / scores[name].numel() for name in scores}
    assert sparsity["large"] - sparsity["small"] == pytest.approx(0.16, abs=0.001)
    assert sparsity["large"] - sparsity["middling"] == pytest.approx(0.08, abs=0.001)
    assert sum(zeros.values()) == round(0.6 * 48_000)


def test_owl_counts_outliers_among_the_weights_that_are_there() -> None:
    scores = with_outliers(0.05, 10, 0)
    pruned = torch.cat([scores, torch.full((90, 100), -torch.inf)])
    assert outlier_ratio(pruned, 5.0) == outlier_ratio(scores, 5.0) == pytest.approx(0.05)
    assert outlier_ratio(torch.full((3, 3), -torch.inf), 5.0) == 0


def test_no_layer_is_emptied_for_the_sake_of_the_others() -> None:
    """A layer at 100 % would cut the network in two, whatever the average."""
    scores = {"plain": with_outliers(0, 10, 0), "rich": with_outliers(0.1, 90, 1)}
    for sparsity in (0.9, 0.95, 0.99):
        total = target(sparsity, sizes_of(scores))
        for zeros in (owl(scores, total, lam=0.3), owl(scores, total, lam=0.5)):
            assert zeros["plain"] / 1000 == pytest.approx((1 + sparsity) / 2, abs=0.001)
            assert sum(zeros.values()) == total
    assert spared({"a": 10, "b": 30}, 40) == {"a": 10, "b": 30}


@pytest.mark.parametrize(("m", "lam"), [(0.0, 0.1), (math.nan, 0.1), (5.0, -0.1), (5.0, 0.6)])
def test_owl_refuses_impossible_settings(m: float, lam: float) -> None:
    with pytest.raises(BadInput, match="owl's"):
        owl({"a": torch.rand(3, 3)}, 3, m=m, lam=lam)


def test_a_sharper_layer_keeps_more_by_the_logarithm_of_its_trace_per_weight() -> None:
    sizes = {"flat": 1000, "middle": 4000, "sharp": 2000}
    traces = {"flat": 1000 * 0.01, "middle": 4000 * 0.1, "sharp": 2000 * 1.0}
    zeros = trace(traces, sizes, 3500, alpha=0.4)
    sparsity = {name: zeros[name] / size for name, size in sizes.items()}
    assert sparsity["flat"] - sparsity["middle"] == pytest.approx(0.2, abs=0.001)
    assert sparsity["middle"] - sparsity["sharp"] == pytest.approx(0.2, abs=0.001)
    assert trace(traces, sizes, 3500, alpha=0.0) == uniform(sizes, 3500)


def test_dead_and_noisy_traces_count_as_the_least_sensitive() -> None:
    sizes = dict.fromkeys(("dead", "noisy", "least", "most"), 1000)
    zeros = trace({"dead": 0.0, "noisy": -0.1, "least": 0.5, "most": 9.0}, sizes, 2000)
    assert zeros["dead"] == zeros["noisy"] == zeros["least"] > zeros["most"]
    assert trace(dict.fromkeys(sizes, 0.0), sizes, 2000) == uniform(sizes, 2000)


SIZES = {"e1": 100, "e2": 300, "d1": 200, "d2": 401}
PLACES = {"e1": "encoder.ffn", "e2": "encoder.attention", "d1": "decoder.ffn"}
PLACES["d2"] = "decoder.self_attention"


def test_named_components_get_theirs_and_the_rest_makes_the_total_exact() -> None:
    zeros = profile(SIZES, PLACES, {"encoder.ffn": 0.9, "decoder": 0.25, "decoder.ffn": 0.1}, 400)
    assert zeros == {"e1": 90, "d1": 20, "d2": 100, "e2": 400 - 210}
    alone = profile(SIZES, PLACES, {"encoder": 0.5}, floors={"d2": 7})
    assert alone == {"e1": 50, "e2": 150, "d1": 0, "d2": 7}


def test_components_rounded_each_for_itself_still_add_up() -> None:
    """0.3 of 401 is no whole number; a profile that names everything may not fail on that."""
    shares = dict.fromkeys(PLACES.values(), 0.3) | {"encoder.ffn": 0.305}
    for total in (300, 301, 302):
        assert sum(profile(SIZES, PLACES, shares, total).values()) == total


def test_a_profile_that_cannot_reach_its_target_says_what_it_can() -> None:
    with pytest.raises(BadInput, match=r"components named.* allow 0\.\d+ to 0\.\d+, so ask for"):
        profile(SIZES, PLACES, {"decoder": 0.1}, 900)
    everything = {"encoder": 0.5, "decoder": 0.2}
    with pytest.raises(BadInput, match=r"ask for (0\.\d+)\.$") as caught:
        profile(SIZES, PLACES, everything, 500)
    near = float(str(caught.value).rpartition(" ")[2].rstrip("."))
    assert sum(profile(SIZES, PLACES, everything, target(near, SIZES)).values()) == 320


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({"decoder.fnn": 0.5}, r"'decoder\.fnn' is no component.*did you mean 'decoder\.ffn'"),
        ({"features": 0.5}, r"'features' is no component of this model.*choose from decoder,"),
        ({"decoder.ffn": 1.5}, r"decoder\.ffn is to have the sparsity 1\.5"),
        ({"encoder.ffn": 0.1}, r"component encoder\.ffn: sparsity 0\.1 cannot be reached.*0\.6"),
    ],
)
def test_an_impossible_profile_names_the_component(shares: dict[str, float], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        profile(SIZES, PLACES, shares, 500, floors={"e1": 60})
