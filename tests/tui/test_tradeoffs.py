"""The Pareto front and its company, by example and by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.rows import Row
from tui.tradeoffs import (
    X_AXES,
    Y_AXES,
    dominates,
    following,
    located,
    padded,
    pareto_front,
    round_ticks,
    worth_keeping,
)

SPARSITY, LATENCY, SIZE, MEMORY = X_AXES
WER, CER = Y_AXES
Points = st.lists(st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 2), max_size=40)


def test_the_front_of_a_few_points() -> None:
    assert pareto_front([(1, 9), (2, 5), (3, 6), (4, 1), (4, 2)]) == [0, 1, 3]
    assert pareto_front([]) == []
    assert pareto_front([(1, 1), (1, 1)]) == [0, 1]


@given(Points)
def test_the_front_is_exactly_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    front = set(pareto_front(points))
    for position, point in enumerate(points):
        beaten = any(dominates(other, point) for other in points)
        assert (position not in front) == beaten


@given(Points)
def test_the_front_rises_in_one_number_and_falls_in_the_other(
    points: list[tuple[float, float]],
) -> None:
    front = [points[position] for position in pareto_front(points)]
    assert front == sorted(front)
    assert [second for _, second in front] == sorted((s for _, s in front), reverse=True)


def test_each_axis_counts_in_its_own_good_direction() -> None:
    rows = [
        Row("dense", achieved_percent=0, latency_ms=40, wer=5.8),
        Row("obs", achieved_percent=70, latency_ms=41, wer=6.4),
        Row("magnitude", achieved_percent=70, latency_ms=42, wer=16.4),
        Row("failed", achieved_percent=70),
    ]
    zeros = located(rows, SPARSITY, WER)
    assert set(zeros) == {0, 1, 2}
    assert set(worth_keeping(zeros, SPARSITY, WER)) == {0, 1}
    assert worth_keeping(located(rows, LATENCY, WER), LATENCY, WER) == [0]


def test_axes_come_round_again() -> None:
    assert following(X_AXES, SPARSITY) is LATENCY
    assert following(X_AXES, MEMORY) is SPARSITY
    assert following(Y_AXES, CER) is WER


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_no_value_lies_on_the_limits(values: list[float]) -> None:
    low, high = padded(values)
    assert low < min(values)
    assert max(values) < high


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(2, 20))
def test_ticks_lie_between_the_limits_and_are_few(low: float, span: float, at_most: int) -> None:
    ticks = round_ticks(low, low + span, at_most)
    slack = 1e-9 * (abs(low) + span)
    assert len(ticks) <= at_most
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_ticks_are_round() -> None:
    assert round_ticks(-5, 150, 4) == [0, 50, 100, 150]
