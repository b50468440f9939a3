"""Pareto front, axes and ticks, differences of intervals: by example and by property."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.groups import model_of
from bench.rows import Row
from tui.tradeoffs.axes import LATENCY, SPARSITY, WER, X_AXES, Y_AXES, finite, following
from tui.tradeoffs.difference import Difference, Measured, alike, difference
from tui.tradeoffs.front import dominates, located, pareto_front, worth_keeping
from tui.tradeoffs.lineage import dense_rows, dense_wers, idle_zeros, wer_losses
from tui.tradeoffs.scale import padded, round_ticks, tick_text

#: Few values, so that ties are common.
COSTS = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False), st.just(math.nan))


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[float, ...]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.tuples(*[COSTS] * width), max_size=30))


@st.composite
def measured(draw: st.DrawFn) -> Measured:
    value = draw(st.floats(0, 100))
    return Measured(value, value - draw(st.floats(0, 20)), value + draw(st.floats(0, 20)))


def test_the_front_of_a_few_points() -> None:
    assert pareto_front([(1, 9), (2, 5), (3, 6), (4, 1), (4, 2)]) == [0, 1, 3]
    assert pareto_front([(1, 1, 3), (1, 1, 3), (2, 0, 4), (2, 2, 2), (2, 2, 4)]) == [0, 1, 2, 3]
    assert pareto_front([]) == []
    assert pareto_front([(math.nan, 1), (2, math.nan)]) == []


@given(tables())
def test_the_front_is_exactly_what_nothing_dominates(points: list[tuple[float, ...]]) -> None:
    known = [point for point in points if not any(map(math.isnan, point))]
    front = set(pareto_front(points))
    for position, point in enumerate(points):
        beaten = point not in known or any(dominates(other, point) for other in known)
        assert (position not in front) == beaten


@given(tables())
def test_the_front_rises_in_its_first_number(points: list[tuple[float, ...]]) -> None:
    front = [points[position] for position in pareto_front(points)]
    assert front == sorted(front)
    if front and len(front[0]) == 2:
        assert [point[1] for point in front] == sorted((p[1] for p in front), reverse=True)


@given(measured(), measured())
def test_a_difference_turned_round_is_its_negative(one: Measured, other: Measured) -> None:
    there, back = difference(one, other), difference(other, one)
    assert there.value == -back.value
    assert there.low is not None
    assert back.high is not None
    assert there.low == pytest.approx(-back.high)
    assert there.is_real == back.is_real


@given(measured(), measured())
def test_a_difference_is_surer_than_the_worst_case_and_less_sure_than_either(
    one: Measured, other: Measured
) -> None:
    found = difference(one, other)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    slack = 1e-9
    assert one.low is not None
    assert other.high is not None
    assert found.low >= one.low - other.high - slack
    assert found.value - found.low >= one.value - one.low - slack
    assert found.value - found.low >= other.high - other.value - slack


@given(measured())
def test_nothing_really_differs_from_itself(one: Measured) -> None:
    assert difference(one, one).is_real is False


def test_without_intervals_nobody_can_say() -> None:
    assert difference(Measured(3.0), Measured(1.0, 0.5, 1.5)) == Difference(2.0)
    assert Difference(2.0).is_real is None
    assert difference(Measured.exact(3.0), Measured.exact(1.0)).is_real
    assert difference(Measured.exact(1.0), Measured.exact(1.0)).is_real is False


def test_a_value_outside_its_interval_widens_it_and_nan_is_not_measured() -> None:
    assert Measured.of(WER, Row("x", wer=5.0, wer_low=6.0, wer_high=7.0)) == Measured(5.0, 5.0, 7.0)
    assert Measured.of(WER, Row("x", wer=math.nan)) is None
    assert Measured.of(LATENCY, Row("x", latency_ms=1.0, latency_low_ms=math.nan)) == Measured(1.0)
    assert [finite(value) for value in (None, math.inf, math.nan, 0.0)] == [None, None, None, 0.0]


def test_rows_are_alike_where_their_intervals_say_so() -> None:
    one, other = Row("a", wer=5.0, wer_low=4.0, wer_high=6.0), Row("b", wer=5.5)
    assert not alike(one, other, WER)
    assert alike(one, Row("b", wer=5.5, wer_low=4.5, wer_high=6.5), WER)
    assert not alike(one, Row("b", wer=9.0, wer_low=8.0, wer_high=9.5), WER)
    assert alike(Row("a", wer=5.0), Row("b", wer=5.0), WER)
    assert not alike(one, Row("b"), WER)


DENSE = Row("net-dense", "whisper", "dense", wer=2.0, latency_ms=20, achieved_percent=0, threads=1)
CUT = Row("net-obs-70", "whisper", "obs", wer=3.5, latency_ms=20.2, achieved_percent=70, threads=1)


def test_wer_is_lost_against_the_best_dense_one_of_the_same_model() -> None:
    worse = Row("net-dense-int8", "whisper", "dense", wer=2.4)
    stranger = Row("else-obs-70", "whisper", "obs", wer=3.5)
    rows = [CUT, worse, DENSE, stranger, Row("net-obs-90", method="obs")]
    assert [model_of(row) for row in rows[:4]] == ["net", "net", "net", "else"]
    losses = wer_losses(rows, dense_wers(rows))
    assert losses == [1.5, pytest.approx(0.4), 0.0, None, None]


@pytest.mark.parametrize(
    ("latency", "interval", "is_warned"),
    [(20.2, (20.0, 20.4), True), (19.9, (19.0, 21.0), True), (10.0, (9.9, 10.1), False)],
)
def test_zeros_that_bring_no_latency_are_told(
    latency: float, interval: tuple[float, float], is_warned: bool
) -> None:
    base = replace(DENSE, latency_low_ms=19.5, latency_high_ms=20.5)
    low, high = interval
    row = replace(CUT, latency_ms=latency, latency_low_ms=low, latency_high_ms=high)
    warning = idle_zeros(row, dense_rows([base, row]))
    assert (warning is not None) == is_warned
    assert not warning or warning.startswith("70 % zeros brought no latency")
    elsewhere = replace(row, threads=4)
    assert idle_zeros(elsewhere, dense_rows([base])) is None
    assert idle_zeros(base, dense_rows([base])) is None


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
    assert following(X_AXES, X_AXES[-1]) is SPARSITY
    assert following(Y_AXES, Y_AXES[-1]) is WER


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_no_value_lies_on_the_limits(values: list[float]) -> None:
    low, high = padded(min(values), max(values))
    assert low < min(values)
    assert max(values) < high


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(2, 20))
def test_ticks_lie_between_the_limits_and_are_few(low: float, span: float, at_most: int) -> None:
    ticks = round_ticks(low, low + span, at_most)
    slack = 1e-9 * (abs(low) + span)
    assert len(ticks) <= at_most
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_ticks_are_round_and_their_texts_tell_them_apart() -> None:
    assert round_ticks(-5, 150, 4) == [0, 50, 100, 150]
    assert [tick_text(tick, 0.5) for tick in (0.0, 0.5, 1.0)] == ["0.0", "0.5", "1.0"]
    assert tick_text(0.02, 0.01) == "0.02"
    assert tick_text(150.0, 50) == "150"
