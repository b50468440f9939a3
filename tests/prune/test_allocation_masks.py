"""Masks: exact counts among ties, zeros first, patterns that hold in every group."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prune.allocation.budget import uniform
from prune.allocation.masks import (
    lowest,
    lowest_by_row,
    masked,
    n_of_m,
    zeros_first,
    zeros_of_n_of_m,
)
from prune.allocation.threshold import by_threshold, kth_lowest
from speech.errors import BadInput

grids = st.tuples(st.integers(1, 7), st.integers(1, 11), st.integers(0, 10**6))


def tied_scores(rows: int, columns: int, seed: int) -> torch.Tensor:
    """Few different values, and -inf among them."""
    drawn = torch.randint(0, 4, (rows, columns), generator=torch.Generator().manual_seed(seed))
    return torch.where(drawn == 0, -torch.inf, drawn.float())


@given(grids, st.floats(0, 1))
@settings(derandomize=True, deadline=None)
def test_the_lowest_of_a_layer_are_those_a_stable_sort_puts_first(
    grid: tuple[int, int, int], share: float
) -> None:
    scores = tied_scores(*grid)
    count = round(share * scores.numel())
    first = scores.flatten().sort(stable=True).indices[:count]
    assert (~lowest(scores, count)).flatten().nonzero().flatten().tolist() == sorted(first.tolist())


@given(grids, st.floats(0, 1))
@settings(derandomize=True, deadline=None)
def test_rows_lose_the_same_number_give_or_take_one(
    grid: tuple[int, int, int], share: float
) -> None:
    scores = tied_scores(*grid)
    count = round(share * scores.numel())
    keep = lowest_by_row(scores, count)
    gone = (~keep).sum(1)
    assert int(gone.sum()) == count
    assert int(gone.max() - gone.min()) <= 1
    for row, kept in zip(scores, keep, strict=True):
        assert torch.equal(kept, lowest(row, int((~kept).sum())))


@given(grids, st.integers(1, 8), st.data())
@settings(derandomize=True, deadline=None)
def test_n_of_m_keeps_the_highest_n_of_every_group(
    grid: tuple[int, int, int], m: int, data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, m))
    scores = tied_scores(*grid)
    keep = n_of_m(scores, n, m)
    assert keep.shape == scores.shape
    for row, kept in zip(scores, keep, strict=True):
        for group, stays in zip(row.split(m), kept.split(m), strict=True):
            share = n if len(group) == m else int(n * len(group) / m + 0.5)
            assert int(stays.sum()) == share <= n
            assert (
                group[stays].sort().values.tolist()
                == group.sort().values.tolist()[len(group) - int(stays.sum()) :]
            )
    assert int((~keep).sum()) == zeros_of_n_of_m(*scores.shape, n, m)


def test_two_of_four_in_a_layer_that_four_does_not_divide() -> None:
    scores = torch.tensor([[4.0, 3, 2, 1, 1, 1, 1, 1, 5, 6, 7]])
    assert n_of_m(scores, 2, 4).int().tolist() == [[1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1]]
    assert zeros_of_n_of_m(1, 11, 2, 4) == 5


@pytest.mark.parametrize(("n", "m"), [(5, 4), (-1, 4), (0, 0)])
def test_impossible_patterns_are_named(n: int, m: int) -> None:
    with pytest.raises(BadInput, match=f"pattern {n}:{m} is impossible"):
        n_of_m(torch.ones(2, 8), n, m)


def test_zeros_go_before_the_least_important_weight() -> None:
    """By Wanda's score a weight on a silent input is worth nothing: no more than a zero."""
    weight = torch.tensor([[0.3, 0.0, 2.0, 0.0]])
    scores = zeros_first(torch.zeros_like(weight), weight)
    assert lowest(scores, 2).tolist() == [[True, False, True, False]]
    assert lowest(scores, 1).tolist() == [[True, False, True, True]]
    assert lowest(scores, 3).tolist() == [[False, False, True, False]]


def test_a_global_target_below_the_zeros_that_are_there_is_refused() -> None:
    scores = {"a": torch.tensor([-torch.inf, -torch.inf, 1.0]), "b": torch.ones(7)}
    with pytest.raises(BadInput, match=r"sparsity 0\.1 cannot be reached.*ask for 0\.2"):
        by_threshold(scores, 1)
    assert by_threshold(scores, 2) == {"a": 2, "b": 0}


def test_masks_of_a_threshold_are_the_global_ones() -> None:
    scores = {str(i): tied_scores(3 + i, 5, i).clamp_min(0) for i in range(4)}
    together = torch.cat([score.flatten() for score in scores.values()])
    for sparsity in (0, 0.2, 0.5, 0.9, 1):
        zeros = round(sparsity * len(together))
        masks = masked(scores, by_threshold(scores, zeros))
        expected = lowest(together, zeros)
        assert torch.equal(torch.cat([mask.flatten() for mask in masks.values()]), expected)


def test_rows_of_a_uniform_allocation_are_wandas() -> None:
    scores = {"a": torch.rand(8, 10), "b": torch.rand(4, 30)}
    masks = masked(scores, uniform({"a": 80, "b": 120}, 100), by_row=True)
    assert all((mask.sum(1) == mask.shape[1] // 2).all() for mask in masks.values())
    assert all(
        torch.equal(masks[name], lowest_by_row(scores[name], score.numel() // 2))
        for name, score in scores.items()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_half_precision_is_ranked_too(dtype: torch.dtype) -> None:
    scores = torch.rand(40, 30, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert kth_lowest(scores.flatten(), 700) == scores.flatten().sort().values[699]
    assert int((~lowest(scores, 700)).sum()) == 700
    assert int((~lowest_by_row(scores, 700)).sum()) == 700


def test_what_cannot_be_ranked_is_refused() -> None:
    for drop in (lowest, lowest_by_row):
        with pytest.raises(ValueError, match="not numbers"):
            drop(torch.tensor([[1.0, math.nan]]), 1)
        for count in (-1, 3):
            with pytest.raises(ValueError, match=f"{count} of 2 weights cannot be dropped"):
                drop(torch.ones(1, 2), count)
