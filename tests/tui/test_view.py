"""What is shown of many records, without a terminal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.rows import Row
from tui.columns import COLUMNS, verdict
from tui.glyphs import glyph_of
from tui.search import Search, blob
from tui.source.records import Record
from tui.tradeoffs.axes import LATENCY, WER
from tui.tradeoffs.budgets import Limits
from tui.view import View

ROWS = [
    Row(
        "net-dense",
        "whisper",
        "dense",
        0,
        0.0,
        5.8,
        4.6,
        7.1,
        2.1,
        6.5,
        41.2,
        threads=1,
        model="net",
    ),
    Row(
        "net-obs-70",
        "whisper",
        "obs",
        70,
        70.0,
        6.4,
        5.1,
        7.7,
        2.5,
        6.5,
        40.9,
        threads=1,
        model="net",
    ),
    Row(
        "net-mp-70",
        "whisper",
        "mp",
        70,
        70.0,
        16.4,
        latency_ms=40.1,
        memory_mib=math.nan,
        model="net",
    ),
    Row("broken", problem="Took longer than 5 s.", model="net"),
]


def records(rows: list[Row]) -> list[Record]:
    return [Record(str(at), row) for at, row in enumerate(rows)]


@pytest.fixture
def view() -> View:
    found = View()
    found.add(records(ROWS))
    return found


@pytest.mark.parametrize("key", [column.key for column in COLUMNS])
def test_what_was_not_measured_sorts_last_either_way(view: View, key: str) -> None:
    rank = next(column.rank for column in COLUMNS if column.key == key)
    ranks = [rank(row) for row in ROWS]
    for descending in (False, True):
        view.sort_by(key, descending=descending)
        assert sorted(view.order) == [0, 1, 2, 3]
        known = [at for at in view.order if ranks[at] is not None]
        assert view.order[: len(known)] == known
        assert known == sorted(known, key=lambda at: ranks[at], reverse=descending)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("obs", [1]),
        ("ob70", [1]),
        ("net 70", [1, 2]),
        ("wer<10 net", [0, 1]),
        ("zeros>=70 ms<40.5", [2]),
        ("wer<", [0, 1, 2, 3]),
        ("peak<1000", []),
        ("nothing.*", []),
        ("[", []),
    ],
)
def test_words_and_comparisons_are_searched_for(view: View, query: str, found: list[int]) -> None:
    view.look_for(query)
    assert view.order == found
    assert set(view.front) <= set(found)


def test_a_search_is_of_letters_in_order() -> None:
    told = blob(ROWS[1])
    assert Search("nt-o7").finds(ROWS[1], told)
    assert not Search("70obs").finds(ROWS[1], told)


def test_budgets_and_losses_are_of_the_same_model(view: View) -> None:
    assert view.losses[1] == pytest.approx(0.6)
    assert np.isnan(view.losses[3])
    view.limit(Limits({"wer_loss": 1.0}))
    assert view.failing.tolist() == [False, False, True, False]
    assert [str(excess) for excess in view.excesses(2)] == ["WER loss 10.6 points > 1.0 points"]


def test_the_front_follows_axes_and_search(view: View) -> None:
    assert view.front == [1, 0] or set(view.front) == {0, 1}
    view.show_axes(LATENCY, WER)
    assert set(view.front) == {0, 1, 2}
    view.look_for("mp")
    assert view.front == [2]


def test_the_recommended_one_can_be_looked_at(view: View) -> None:
    found, at = view.recommended()
    assert at == 1
    assert found.why.startswith("net-obs-70 is the fastest of two")


def test_an_empty_view_has_nothing_and_says_so() -> None:
    view = View()
    view.add([])
    view.sort_by("wer", descending=True)
    view.look_for("x")
    assert (view.order, view.front) == ([], [])
    assert view.recommended()[1] is None


def test_marks_tell_structure_and_trust_and_verdicts_what_is_missing() -> None:
    assert glyph_of(Row("a", method="obs")) == "●"
    assert glyph_of(Row("a", method="dense", verdicts=("ESTIMATED",))) == "◇"
    assert glyph_of(Row("a", method="nm_obs", verdicts=("EMULATED",))) == "▣"
    assert glyph_of(Row("a", method="obs_structured")) == "▲"
    assert glyph_of(Row("a", method="of-the-future")) == "●"
    assert verdict(Row("a")) == "not finished"
    assert verdict(Row("a", latency_ms=1.0, verdicts=("VALID",))) == ""
    assert verdict(Row("a", latency_ms=1.0, verdicts=("NOISY", "TOO_FEW"))) == "NOISY, TOO_FEW"
