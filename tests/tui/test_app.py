"""The real app under a pilot, in the smallest terminal it promises and in a wide one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Static

from bench.agent.measurement import Measurement
from bench.results import write_results
from bench.rows import Row
from tui.__main__ import main
from tui.app import TradeoffApp
from tui.plot import TradeoffPlot
from tui.variants import COLUMNS, VariantTable, sorted_positions

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 45)])
WER = next(at for at, column in enumerate(COLUMNS) if column.title == "WER %")
ROWS = [
    Row("dense", "whisper", "dense", 0, 0.0, 5.8, 4.6, 7.1, 2.1, 6.5, 41.2, 0.0131, 118.0, 160),
    Row("obs-70", "whisper", "obs", 70, 70.0, 6.4, 5.1, 7.7, 2.5, 6.5, 40.9, 0.0129, 118.0, 160),
    Row("magnitude-70", "whisper", "magnitude", 70, 70.0, 16.4, cer=9.0, latency_ms=40.1),
    Row("broken", problem="Took longer than 5 s and was stopped."),
]


def titles(app: TradeoffApp) -> str:
    return str(app.query_one(TradeoffPlot).border_title)


def detail(app: TradeoffApp) -> str:
    return str(app.query_one("#detail", Static).content)


@SIZES
@pytest.mark.asyncio
async def test_everything_has_room(size: tuple[int, int]) -> None:
    app = TradeoffApp(ROWS, "results.jsonl")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        table, plot = app.query_one(VariantTable), app.query_one(TradeoffPlot)
        assert table.row_count == len(ROWS)
        assert table.size.height >= 6
        assert plot.size.height >= 6
        assert (table.region.x == plot.region.x) == (size[0] < 130)
        assert "dense" in detail(app)
        assert "5.8 [4.6–7.1] %" in detail(app)
        screen = app.export_screenshot()
        for expected in ("obs-70", "WER", "unbeaten", "Quit"):
            assert expected in screen


@SIZES
@pytest.mark.asyncio
async def test_the_cursor_moves_the_words_and_a_failure_says_why(size: tuple[int, int]) -> None:
    app = TradeoffApp(ROWS)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert detail(app).startswith("dense")
        await pilot.press("down", "down", "down")
        await pilot.pause()
        assert detail(app).startswith("broken")
        assert "Took longer than 5 s" in detail(app)


@SIZES
@pytest.mark.asyncio
async def test_x_and_y_turn_through_the_axes(size: tuple[int, int]) -> None:
    app = TradeoffApp(ROWS)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert titles(app) == "WER, % over zeros, % of prunable weights"
        await pilot.press("x", "y")
        assert titles(app) == "CER, % over median latency, ms"
        await pilot.press("x", "x", "x", "y")
        assert titles(app) == "WER, % over zeros, % of prunable weights"


@SIZES
@pytest.mark.asyncio
async def test_sorting_by_key_and_click_keeps_the_selection(size: tuple[int, int]) -> None:
    app = TradeoffApp(ROWS)
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "down")
        table = app.query_one(VariantTable)
        chosen = table.selected
        await pilot.press("s", "s", "s")
        assert table.sort_column == WER
        assert table.selected == chosen
        await pilot.press("d")
        assert table.descending
        await pilot.click(VariantTable, offset=(3, 1 if size[0] >= 130 else 0))
        await pilot.pause()
        assert (table.sort_column, table.descending) == (0, False)
        assert table.selected == chosen


@pytest.mark.asyncio
async def test_nothing_measured_yet_is_said() -> None:
    app = TradeoffApp([])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "d", "x", "y")
        assert "No variant has been measured" in detail(app)
        assert titles(app).startswith("nothing has both")


@pytest.mark.asyncio
async def test_markup_in_names_is_only_text() -> None:
    app = TradeoffApp([Row("[red]x[/]", problem="[/oops] [")])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert detail(app).startswith("[red]x[/]")


@pytest.mark.asyncio
async def test_q_leaves() -> None:
    app = TradeoffApp(ROWS)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
    assert app.return_code == 0


def test_what_was_not_measured_sorts_last_either_way() -> None:
    assert sorted_positions(ROWS, WER, descending=False) == [0, 1, 2, 3]
    assert sorted_positions(ROWS, WER, descending=True) == [2, 1, 0, 3]
    assert sorted_positions(ROWS, None, descending=False) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no such results file"),
        (b"{", "line 1"),
        (b"[]", "line 1: the record is not an object"),
        (b'{"bundle": 3}', "line 1"),
        (b"\xff\xfe", "not UTF-8 text"),
    ],
)
def test_a_bad_results_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "results.jsonl"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_from_the_shell_a_folder_is_refused_without_a_traceback(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tui", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


@pytest.mark.asyncio
async def test_a_written_results_file_is_shown(tmp_path: Path) -> None:
    from bench.results import read_results
    from bench.rows import rows_from

    file = tmp_path / "results.jsonl"
    write_results(file, [Measurement("/b", "demo", "2026-01-01T00:00:00+00:00", 1, error="Broke.")])
    app = TradeoffApp(rows_from(read_results(file)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Broke." in detail(app)
