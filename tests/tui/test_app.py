"""The real app on a real store, walked through as a user would, in three sizes of terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from bench.store.store import Store
from runtime.bundle import Bundle
from tests.tui.measured import add_half_a_journal, make_file, make_store, measurement
from tests.tui.walking import explore, names, opened, press, read, seen, selected
from tui.picture import settled
from tui.widgets.scatter import Scatter
from tui.widgets.table import VariantTable

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
pytestmark = pytest.mark.asyncio


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "results.sqlite")


async def table_plot_and_detail_have_room_and_are_one_selection(
    pilot: Pilot[None], store: Path
) -> None:
    screen = explore(pilot)
    table, scatter = screen.query_one(VariantTable), screen.query_one(Scatter)
    assert min(table.size.height, scatter.size.height) >= 6
    told = seen(pilot)
    for expected in ("net-dense", "WER", "Search", "[●]"):
        assert expected in told
    await press(pilot, "down", "down")
    await settled(pilot)
    name = selected(pilot)
    assert f"{name}  whisper" in seen(pilot)
    await press(pilot, "enter")
    assert "time by phase" in seen(pilot)
    await press(pilot, "escape")


async def a_click_in_the_table_and_on_a_point_selects(pilot: Pilot[None], store: Path) -> None:
    screen = explore(pilot)
    scatter = screen.query_one(Scatter)
    before = explore(pilot).selected
    border = 1 if pilot.app.size.width >= 100 else 0
    await pilot.click(VariantTable, offset=(10, border + 2))
    assert screen.selected == screen.view.records[screen.view.order[1]] != before
    await press(pilot, "x")
    lines = seen(pilot).splitlines()
    region = scatter.content_region
    row, column = next(
        (y, x)
        for y in range(region.y, region.bottom)
        for x in range(region.x + 7, region.right)
        if lines[y][x] == "▲"
    )
    await pilot.click(offset=(column, row))
    assert selected(pilot).startswith("net-obs_structured")
    await press(pilot, *["x"] * 4)


async def search_narrows_table_and_plot_and_escape_brings_all_back(
    pilot: Pilot[None], store: Path
) -> None:
    everything = len(names(pilot))
    await press(pilot, "/", *"obs", "space", *"ms")
    await press(pilot, *"<35")
    assert names(pilot) == ["net-obs_structured-25", "net-obs_structured-50"]
    assert "2 of" in seen(pilot)
    await press(pilot, "enter")
    assert isinstance(pilot.app.focused, VariantTable)
    await press(pilot, "escape")
    assert len(names(pilot)) == everything
    await press(pilot, "/", *"zzz")
    await pilot.pause()
    assert "Nothing is found" in seen(pilot)
    await press(pilot, "escape")
    assert len(names(pilot)) == everything


async def axes_turn_and_the_plot_zooms_and_comes_back(pilot: Pilot[None], store: Path) -> None:
    scatter = explore(pilot).query_one(Scatter)
    whole = seen(pilot)
    await press(pilot, "x", "x", "y")
    assert "CER, % over size" in seen(pilot)
    await press(pilot, *["x"] * 3, "y")
    assert seen(pilot) == whole
    await press(pilot, "+", "+", "L", "K")
    assert scatter.window is not None
    await press(pilot, "0")
    assert seen(pilot) == whole


async def r_names_the_best_and_what_the_next_better_costs(pilot: Pilot[None], store: Path) -> None:
    await press(pilot, "/", *"broken", "r")
    assert "r" in explore(pilot).view.search.query
    await press(pilot, "escape", "end", "r")
    await settled(pilot)
    assert selected(pilot) == "net-obs_structured-25"
    assert seen(pilot).count("net-obs_structured-25") >= 3  # table, banner and detail
    told = read(pilot)
    assert "the fastest of" in told
    assert "30.0 ms" in told


async def marked_variants_of_two_devices_are_compared(pilot: Pilot[None], store: Path) -> None:
    await press(pilot, "/", *"net-dense", "enter", "space")
    await press(pilot, "d", "home", "down", "enter")
    await settled(pilot)
    other = [place for place in explore(pilot).places if place.id.startswith("device:")]
    assert len(other) == 2
    await press(pilot, "escape", "space", "down", "space", "c")
    await pilot.pause()
    told = seen(pilot)
    assert "WER, %" in told
    assert "no real difference" in read(pilot) or "the same" in told
    await press(pilot, "n", "escape")
    assert pilot.app.screen is explore(pilot)


async def history_shows_the_past_of_the_selected(pilot: Pilot[None], store: Path) -> None:
    await press(pilot, "/", *"net-obs-70", "enter", "4")
    await settled(pilot)
    told = seen(pilot)
    assert told.index("2026-01-01") < told.index("2026-02-01") < told.index("2026-03-01")
    assert "new" in told
    await press(pilot, "1")
    assert pilot.app.screen is explore(pilot)


async def sensitivity_says_how_to_measure_one_and_shows_it(pilot: Pilot[None], store: Path) -> None:
    await press(pilot, "3")
    await settled(pilot)
    assert "secateur sensitivity MODEL" in read(pilot)
    cells = [{"sparsity": s, "divergence": s / 3, "score": None} for s in (0.5, 0.9)]
    rows = [{"name": "encoder.fc1", "layers": [], "weights": 1, "cells": cells}]
    table = {
        "model": "net", "method": "obs", "by": "layer", "unit": "token", "clips": 1,
        "answers": 2, "calibration_clips": 0, "seed": 0, "dense": None, "rows": rows,
    }  # fmt: skip
    (store.parent / "sensitivity.json").write_text(json.dumps(table))
    await press(pilot, "1", "3")
    await settled(pilot)
    assert "encoder.fc1" in seen(pilot)
    (store.parent / "sensitivity.json").write_text("{}")
    await press(pilot, "1", "3", "n")
    await settled(pilot)
    assert "✗" in seen(pilot)
    assert "--json > sensitivity.json` writes one" in read(pilot)


async def help_and_palette_name_what_can_be_done_here(pilot: Pilot[None], store: Path) -> None:
    await press(pilot, "?")
    assert "Explore: help" in seen(pilot)
    assert "Recommend" in seen(pilot)
    await press(pilot, "escape", "2", "?")
    assert "Compare: help" in seen(pilot)
    await press(pilot, "escape", "1", "ctrl+p", *"Recomm")
    await pilot.pause(0.3)
    await press(pilot, "enter")
    await settled(pilot)
    assert "→ net-" in seen(pilot)


WALKS = (
    table_plot_and_detail_have_room_and_are_one_selection,
    a_click_in_the_table_and_on_a_point_selects,
    search_narrows_table_and_plot_and_escape_brings_all_back,
    axes_turn_and_the_plot_zooms_and_comes_back,
    r_names_the_best_and_what_the_next_better_costs,
    marked_variants_of_two_devices_are_compared,
    history_shows_the_past_of_the_selected,
    sensitivity_says_how_to_measure_one_and_shows_it,
    help_and_palette_name_what_can_be_done_here,
)


@pytest.mark.long_but("(80, 24)")
@SIZES
async def test_every_way_through_the_app(store: Path, size: tuple[int, int]) -> None:
    """One after another in one app, each beginning where the app begins."""
    async with opened(store, size) as pilot:
        for walk in WALKS:
            await press(pilot, "1", "escape", "escape", "d", "home", "enter", "home")
            await settled(pilot)
            await walk(pilot, store)


async def test_heads_sort_and_keys_turn(store: Path) -> None:
    async with opened(store, (200, 60)) as pilot:
        table = explore(pilot).query_one(VariantTable)
        start = seen(pilot).splitlines()
        line = next(line for line in start if "zeros %" in line)
        await pilot.click(offset=(line.index(" ms") + 1, start.index(line)))
        view = explore(pilot).view
        assert (view.sort, view.descending) == ("latency", False)
        assert names(pilot)[0] == "net-obs_structured-50"
        await press(pilot, "S")
        assert names(pilot)[0] == "net-wanda-50"
        chosen = selected(pilot)
        await press(pilot, "s")
        assert selected(pilot) == chosen
        assert table.selected is not None


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_budgets_are_edited_in_place_and_what_fails_says_why(
    store: Path, size: tuple[int, int], tmp_path: Path
) -> None:
    memory = tmp_path / "tui.json"
    async with opened(store, size, memory) as pilot:
        view = explore(pilot).view
        assert [names(pilot)[at] for at in range(len(view.order)) if view.failing[view.order[at]]]
        await press(pilot, "b")
        assert isinstance(pilot.app.focused, Input)
        await press(pilot, *"35", "enter")
        assert view.limits.at_most["latency"] == 35
        fit = [view.records[at].row.name for at in view.order if not view.failing[at]]
        assert "net-obs_structured-25" in fit
        assert "net-dense" not in fit
        await press(pilot, "escape", "home")
        await settled(pilot)
        assert "over budget: latency" in seen(pilot)
        await press(pilot, "b", *"x", "enter")
        await pilot.pause()
        assert "The budget of latency is 'x'" in read(pilot)
        await press(pilot, "backspace", *"35", "escape", "q")
    kept = json.loads(memory.read_text())
    [limits] = kept["budgets"][str(store)]["device:pi"].values()
    assert limits["latency"] == 35
    async with opened(store, size, memory) as pilot:
        assert explore(pilot).view.limits.at_most["latency"] == 35


async def test_without_marks_the_selected_one_is_held_against_the_dense_one(store: Path) -> None:
    async with opened(store) as pilot:
        await press(pilot, "/", *"obs_structured-50", "enter", "c")
        await pilot.pause()
        told = seen(pilot)
        assert "net-dense" in told
        assert "better" in told


async def test_a_fifth_mark_is_refused_and_one_alone_is_no_comparison(store: Path) -> None:
    async with opened(store) as pilot:
        await press(pilot, "/", *"net-dense", "enter", "c")
        assert "Mark two to four" in seen(pilot)
        await press(pilot, "escape", "home", *["space", "down"] * 5)
        assert "Four are marked" in seen(pilot)


async def test_rows_are_copied_and_too_many_are_not(store: Path) -> None:
    async with opened(store) as pilot:
        await press(pilot, "m")
        assert pilot.app.clipboard.startswith("| model |")
        await press(pilot, "space", "v")
        assert len(pilot.app.clipboard.strip().splitlines()) == 2
        assert pilot.app.clipboard.startswith("name,family")


async def test_the_view_and_the_bundle_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = Bundle.open(tiny_bundle, on_device=True)
    one = measurement("tiny", "dense", 0.0, 0.05, 10.0)
    here = {"bundle": str(tiny_bundle), "bundle_sha256": bundle.sha256}
    file = make_file(tmp_path / "results.jsonl", [type(one)(**{**vars(one), **here})])
    async with opened(file) as pilot:
        for steps in range(6):
            await press(pilot, "e", *["down"] * steps, "enter", "enter")
            await pilot.pause()
        await press(pilot, "e", "enter", *["backspace"] * 3, *"svg", "enter")
        await pilot.pause()
    assert (tmp_path / "secateur.svg").read_text().startswith("<svg")
    assert (tmp_path / "secateur.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "secateur.md").read_text().startswith("| model |")
    assert (tmp_path / "secateur.csv").read_text().startswith("name,")
    assert Bundle.open(tmp_path / "tiny", on_device=True).sha256 == bundle.sha256
    assert (tmp_path / "tiny.secateur").stat().st_size > 0


async def test_layout_axes_and_theme_are_remembered(store: Path, tmp_path: Path) -> None:
    memory = tmp_path / "config" / "tui.json"
    async with opened(store, memory=memory) as pilot:
        pilot.app.theme = "secateur-light"
        await press(pilot, "x", "s", "o", "q")
    async with opened(store, memory=memory) as pilot:
        view = explore(pilot).view
        assert (view.x_axis.key, view.sort) == ("latency", "name")
        assert pilot.app.theme == "secateur-light"
        assert not explore(pilot).query_one("#sidebar").display
    memory.write_text('{"theme": 3}')
    async with opened(store, memory=memory) as pilot:
        assert "holds no settings" in read(pilot)


async def test_results_appear_as_they_land(store: Path) -> None:
    async with opened(store) as pilot:
        chosen = selected(pilot)
        with Store.at(store) as found:
            found.add_results([measurement("net-landed", "obs", 0.5, 0.06, 10.0)], "pi")
        pilot.app._look()  # type: ignore[attr-defined]
        await settled(pilot)
        assert "net-landed" in names(pilot)
        assert selected(pilot) == chosen


async def test_an_unfinished_and_a_broken_row_say_so(store: Path, tmp_path: Path) -> None:
    add_half_a_journal(store, tmp_path / "job")
    async with opened(store) as pilot:
        await press(pilot, "/", *"half-b", "enter")
        await settled(pilot)
        assert "by this search: n shows the next group" in read(pilot)
        await press(pilot, "n")
        await settled(pilot)
        assert "journal ends before anything" in seen(pilot)
        await press(pilot, "N", "escape", "slash", *"broken", "enter")
        await settled(pilot)
        assert "Took longer than 5 s" in seen(pilot)


async def test_an_empty_store_says_what_to_run(tmp_path: Path) -> None:
    with Store.at(tmp_path / "empty.sqlite"):
        pass
    async with opened(tmp_path / "empty.sqlite", (80, 24)) as pilot:
        assert "make prune-and-export" in read(pilot)
        await press(pilot, "r", "c", "space", "e", "escape", "enter", "m", "4", "1", "s", "+")


async def test_a_store_that_goes_away_is_a_line_on_the_screen(store: Path) -> None:
    async with opened(store) as pilot:
        store.write_bytes(b"not a store any more" * 100)
        pilot.app._look()  # type: ignore[attr-defined]
        await settled(pilot)
        assert "is no whole store" in read(pilot)


async def test_guesses_that_cannot_be_made_say_why(store: Path) -> None:
    async with opened(store) as pilot:
        await press(pilot, "d", "end", "enter")
        await settled(pilot)
        assert "nothing to reckon" in read(pilot)


@pytest.mark.parametrize("size", [(40, 24), (80, 10), (2, 2)])
async def test_a_terminal_that_is_too_small_says_so(store: Path, size: tuple[int, int]) -> None:
    async with opened(store, size) as pilot:
        if size[0] > 10:
            assert "too small" in seen(pilot)
        await press(pilot, "down", "r", "x", "+", "b", "escape", "enter", "escape")


async def test_markup_in_names_is_only_text(tmp_path: Path) -> None:
    odd = measurement("[red]x[/]", "[/oops] [", 0.5, 0.1, 5.0, device="[b]")
    async with opened(make_file(tmp_path / "results.jsonl", [odd])) as pilot:
        assert "[red]x[/]" in seen(pilot)
        await press(pilot, "r", "space", "c", "4", "?", "escape")


async def test_without_colour_nothing_is_lost(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(store) as pilot:
        coloured = seen(pilot)
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(store) as pilot:
        assert pilot.app.no_color
        assert seen(pilot) == coloured
        assert "✗" in coloured
        assert "★" in coloured


async def test_q_leaves(store: Path) -> None:
    async with opened(store) as pilot:
        await press(pilot, "q")
    assert pilot.app.return_code == 0
