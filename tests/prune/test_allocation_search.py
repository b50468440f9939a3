"""The search against every possible choice on small instances, and its time on large ones."""

import itertools
import random
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prune.allocation.search import Point, lower_hull, search
from speech.errors import BadInput

GRID = [0.0, 0.3, 0.5, 0.75, 1.0]
Curves = Mapping[str, Sequence[float]]


def damage(curve: Sequence[float], zeros: int, size: int) -> float:
    return float(np.interp(zeros / size, GRID, curve))


def summed(curves: Curves, sizes: Mapping[str, int], zeros: Mapping[str, int]) -> float:
    return sum(damage(curves[name], zeros[name], sizes[name]) for name in sizes)


def least_damage(
    curves: Curves, sizes: Mapping[str, int], total: int, floors: Mapping[str, int]
) -> float:
    """By trying everything."""
    choices = itertools.product(*(range(floors[name], size + 1) for name, size in sizes.items()))
    return min(
        summed(curves, sizes, dict(zip(sizes, zeros, strict=True)))
        for zeros in choices
        if sum(zeros) == total
    )


def gap(curve: Sequence[float], size: int, least: int) -> float:
    """How far one layer's damage lies above its hull at the worst number of zeros."""
    points = [Point(zeros, damage(curve, zeros, size)) for zeros in range(least, size + 1)]
    hull = lower_hull(points)
    under = np.interp([p.zeros for p in points], [p.zeros for p in hull], [p.damage for p in hull])
    return max(point.damage - float(low) for point, low in zip(points, under, strict=True))


small = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@st.composite
def instances(draw: st.DrawFn, convex: bool) -> tuple[dict, dict, int, dict]:
    sizes = {str(i): size for i, size in enumerate(draw(small))}
    curves = {}
    for name in sizes:
        slopes = draw(st.lists(st.integers(0, 20), min_size=4, max_size=4))
        steps = np.diff(GRID) * (sorted(slopes) if convex else slopes)
        curves[name] = [0.0, *np.cumsum(steps).tolist()]
    floors = {name: draw(st.integers(0, size)) for name, size in sizes.items()}
    total = draw(st.integers(sum(floors.values()), sum(sizes.values())))
    return curves, sizes, total, floors


@given(instances(convex=True))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_convex_curves_are_solved_exactly(instance: tuple[dict, dict, int, dict]) -> None:
    curves, sizes, total, floors = instance
    zeros = search(curves, sizes, total, grid=GRID, floors=floors)
    assert sum(zeros.values()) == total
    assert all(floors[name] <= zeros[name] <= size for name, size in sizes.items())
    best = least_damage(curves, sizes, total, floors)
    assert summed(curves, sizes, zeros) == pytest.approx(best, abs=1e-9)


@given(instances(convex=False))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_other_curves_miss_the_best_by_one_layers_gap_at_the_most(
    instance: tuple[dict, dict, int, dict],
) -> None:
    curves, sizes, total, floors = instance
    zeros = search(curves, sizes, total, grid=GRID, floors=floors)
    assert sum(zeros.values()) == total
    best = least_damage(curves, sizes, total, floors)
    worst = max(gap(curves[name], sizes[name], floors[name]) for name in sizes)
    assert summed(curves, sizes, zeros) <= best + worst + 1e-9


def test_zeros_go_where_they_hurt_least() -> None:
    curves = {"tender": [0, 3, 6, 9, 12], "tough": [0, 0, 0, 1, 20]}
    zeros = search(curves, {"tender": 100, "tough": 100}, 60, grid=GRID)
    assert zeros == {"tender": 0, "tough": 60}


def test_no_layer_goes_beyond_what_was_measured() -> None:
    curves = {"a": [0.0, 1.0, 2.0], "b": [0.0, 5.0, 10.0]}
    sizes, grid = {"a": 100, "b": 100}, [0.0, 0.5, 0.9]
    assert search(curves, sizes, 120, grid=grid) == {"a": 90, "b": 30}
    assert search(curves, sizes, 120, grid=grid, floors={"a": 95}) == {"a": 95, "b": 25}
    assert search(curves, sizes, 120, grid=grid, ceilings={"a": 70, "b": 70}) == {"a": 70, "b": 50}
    with pytest.raises(BadInput, match=r"cannot be reached.*ask for 0\.9"):
        search(curves, sizes, 190, grid=grid)


def test_two_hundred_layers_take_no_time_to_speak_of() -> None:
    """Measured at 50 ms on a busy core; the bound leaves room for a busier one."""
    drawn = random.Random(0)
    grid = [step / 20 for step in range(20)]
    curves = {str(i): [drawn.random() * 4**share for share in grid] for i in range(200)}
    sizes = {name: drawn.randrange(10**5, 10**7) for name in curves}
    total = sum(sizes.values()) // 2
    start = time.perf_counter()
    zeros = search(curves, sizes, total, grid=grid)
    assert time.perf_counter() - start < 0.5
    assert sum(zeros.values()) == total


@pytest.mark.parametrize("grid", [[0.0], [0.1, 1.0], [0.0, 0.5, 0.5], [0.0, 1.2], []])
def test_a_grid_that_is_none_is_refused(grid: list[float]) -> None:
    with pytest.raises(BadInput, match="must rise from 0 to at most 1"):
        search({"a": [0.0] * len(grid)}, {"a": 9}, 3, grid=grid)


def test_unusable_curves_name_the_layer() -> None:
    sizes = {"a": 9, "b": 9}
    with pytest.raises(BadInput, match="b has 1 damages for 2 sparsities"):
        search({"a": [0.0, 1.0], "b": [0.0]}, sizes, 3, grid=[0.0, 1.0])
    with pytest.raises(BadInput, match="b has a damage that is not a finite number"):
        search({"a": [0.0, 1.0], "b": [0.0, float("inf")]}, sizes, 3, grid=[0.0, 1.0])
