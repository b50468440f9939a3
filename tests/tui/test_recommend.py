"""Budgets, and which variant the app tells people to take."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.rows import Row
from device_profiles.profiles import load_profile
from tui.tradeoffs.budgets import KINDS, Limits, excesses, unknown
from tui.tradeoffs.recommend import recommend

FACTS = st.one_of(st.none(), st.floats(0, 100), st.just(math.nan))
NO_LIMITS = Limits()


def variant(name: str, wer: float, latency: float, memory: float = 100.0, **facts: object) -> Row:
    """Known to half a point."""
    known = {"wer_low": wer - 0.5, "wer_high": wer + 0.5, "latency_ms": latency, **facts}
    return Row(name, "whisper", "obs", wer=wer, memory_mib=memory, size_mib=10.0, **known)  # type: ignore[arg-type]


def recommended(rows: list[Row], limits: Limits = NO_LIMITS) -> tuple[str | None, str]:
    found = recommend(rows, limits, [None] * len(rows))
    return (None if found.best is None else rows[found.best].name), f"{found.why} {found.price}"


FINE = variant("fine", 2.0, 40, memory=300)
GOOD = variant("good", 2.3, 20, memory=200)
FAIR = variant("fair", 6.0, 10)


def test_a_profile_brings_its_budgets() -> None:
    limits = Limits.of(load_profile("pi-5").budgets)
    assert dict(limits.at_most) == {"rtf": 0.25, "memory": 1024, "size": 256, "wer_loss": 2.0}
    assert "rtf" not in limits.with_limit("rtf", None).at_most
    assert limits.with_limit("latency", 5.0).at_most["latency"] == 5.0


def test_what_fails_says_why_and_what_is_not_known_fails_nothing() -> None:
    limits = Limits({"memory": 256.0, "wer_loss": 1.0, "rtf": 0.1})
    broken = excesses(FINE, limits, wer_loss=1.5)
    assert [str(excess) for excess in broken] == [
        "memory 300 MiB > 256 MiB",
        "WER loss 1.5 points > 1.0 points",
    ]
    assert [kind.name for kind in unknown(FINE, limits, 1.5)] == ["RTF"]
    assert excesses(Row("x", memory_mib=math.nan), limits, None) == []


def test_of_those_whose_wer_is_not_different_the_fastest_is_taken() -> None:
    name, words = recommended([FINE, GOOD, FAIR])
    assert name == "good"
    assert (
        "good is the fastest of two that fit and whose WER is not significantly different: "
        "WER 2.3 [1.8–2.8] %, 20.0 ms" in words
    )
    assert "Nothing that was measured here has a significantly lower WER." in words


def timed(name: str, latency: float, width: float, **facts: object) -> Row:
    """All of the same WER; the latency is known to `width` ms on each side."""
    ends = {"latency_low_ms": latency - width, "latency_high_ms": latency + width}
    return replace(variant(name, 2.0, latency), **ends, **facts)  # type: ignore[arg-type]


def test_latencies_whose_intervals_overlap_are_a_tie_that_the_smaller_wins() -> None:
    quick = timed("quick", 20.0, 1.0, size_mib=6.5)
    small = timed("small", 21.5, 1.0, size_mib=2.1)
    slow = timed("slow", 30.0, 1.0, size_mib=1.0)
    for order in permutations([quick, small, slow]):
        name, words = recommended([*order])
        assert name == "small"
        assert (
            "small is taken of three that fit and whose WER is not significantly different: the "
            "latencies of two of them overlap, which is a tie, and it is the smallest of them:"
        ) in words


def test_a_chain_of_overlaps_does_not_make_the_slow_end_as_fast_as_the_fastest() -> None:
    """a overlaps with b and b with c, but a does not with c, however small that is."""
    a, b, c = (
        timed(name, latency, 1.5, size_mib=size)
        for name, latency, size in (("a", 10.0, 3.0), ("b", 12.0, 2.0), ("c", 14.0, 1.0))
    )
    for order in permutations([a, b, c]):
        assert recommended([*order])[0] == "b"


def test_one_that_is_hardly_known_makes_no_slow_one_fast() -> None:
    vague = timed("vague", 10.0, 9.0, size_mib=20.0)
    slow = timed("slow", 18.0, 0.1, size_mib=1.0)
    name, words = recommended([vague, timed("quick", 12.0, 0.1), slow])
    assert name == "quick"
    assert "the latencies of two of them overlap" in words


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        ({"size_mib": 5.0}, {"size_mib": 10.0}, "is the smallest of them"),
        ({"memory_mib": 50.0}, {"memory_mib": 100.0}, "needs the least memory of them"),
        ({"method": "dense"}, {"method": "obs"}, "is not pruned"),
        ({"threads": 1}, {"threads": 4}, "needs the fewest threads of them"),
        ({"settings": ""}, {"settings": "spinning"}, "needs the fewest settings of them"),
        ({"wer": 2.0}, {"wer": 2.1}, "has the lowest WER of them"),
        ({"precision": "fp32"}, {"precision": "int8"}, "has the most precise weights of them"),
        ({}, {}, "comes first by its name"),
    ],
)
def test_a_tie_is_decided_the_same_way_whatever_the_order(
    better: dict[str, object], worse: dict[str, object], reason: str
) -> None:
    """Neither a few bytes of a manifest nor the noise of peak memory is a reason."""
    one = timed("a-name", 20.2, 1.0, **{"size_mib": 10.05, "memory_mib": 104.0, **better})
    other = timed("b-name", 20.0, 1.0, **worse)
    for order in ([one, other], [other, one]):
        name, words = recommended(order)
        assert name == "a-name"
        assert f"their latencies overlap, which is a tie, and it {reason}:" in words


def test_where_nothing_was_timed_nothing_is_called_fast() -> None:
    rows = [variant(name, 2.0, math.nan) for name in ("a", "b")]
    name, words = recommended(rows)
    assert name == "a"
    assert "none of these two has a latency" in words


def test_the_next_better_one_and_its_price_are_named() -> None:
    name, words = recommended([FINE, GOOD, FAIR], Limits({"memory": 150.0}))
    assert name == "fair"
    assert "Next better: good, WER 2.3 instead of 6.0 %, for memory 200 MiB > 150 MiB." in words


def test_where_nothing_fits_the_nearest_is_named() -> None:
    name, words = recommended([FINE, GOOD, FAIR], Limits({"memory": 50.0}))
    assert name is None
    assert words == "Nothing fits the budgets. The nearest is fair: memory 100 MiB > 50 MiB."


def test_what_failed_or_was_never_scored_is_not_recommended() -> None:
    assert recommended([Row("a", latency_ms=1.0)])[0] is None
    assert recommended([])[0] is None
    broken = variant("broken", 1.0, 1.0, problem="Took longer than 5 s.")
    assert recommended([broken, FAIR])[0] == "fair"


def test_doubts_are_part_of_the_sentence() -> None:
    guessed = Row("guess", wer=2.0, latency_ms=3.0, verdicts=("ESTIMATED",))
    name, words = recommended([guessed], Limits({"memory": 10.0, "size": 1.0}))
    assert name == "guess"
    assert "3.0 ms (ESTIMATED)" in words
    assert "Whether it keeps the budget of memory and size is not known." in words


@given(
    st.lists(st.tuples(FACTS, FACTS, FACTS), max_size=12),
    st.dictionaries(st.sampled_from([kind.key for kind in KINDS]), st.floats(0, 100)),
)
def test_what_is_recommended_keeps_every_budget_and_nothing_that_fits_beats_it(
    facts: list[tuple[float | None, ...]], at_most: dict[str, float]
) -> None:
    rows = [
        Row(str(at), wer=wer, latency_ms=latency, memory_mib=memory)
        for at, (wer, latency, memory) in enumerate(facts)
    ]
    limits, losses = Limits(at_most), [row.wer for row in rows]
    found = recommend(rows, limits, losses)
    fitting = [
        at
        for at, row in enumerate(rows)
        if row.wer is not None and not math.isnan(row.wer) and not excesses(row, limits, row.wer)
    ]
    assert (found.best is None) == (not fitting)
    assert found.why
    if found.best is not None:
        assert found.best in fitting
        assert rows[found.best].wer == min(rows[at].wer for at in fitting)  # type: ignore[type-var]
