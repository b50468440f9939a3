"""What the screens say of rows, as text: comparison, chronicle, heat map, detail."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from bench.rows import Row, rows_from
from prune.damage import Cell, Sensitivity
from prune.damage import Row as Region
from tests.tui.measured import measurement, some
from tui.bars import bar, strip
from tui.chronicle import chronicle
from tui.comparison import side_by_side
from tui.heat_map import heat_map
from tui.source.records import Computed, Detail
from tui.words import Told, alarms, brief, headline, sections

ROWS = rows_from(some())
DENSE, OBS70, MAGNITUDE, HALF = ROWS[0], ROWS[2], ROWS[3], ROWS[6]


def printed(what: RenderableType, width: int = 120) -> str:
    out = StringIO()
    Console(file=out, width=width, no_color=True).print(what)
    return out.getvalue()


def test_differences_are_real_or_are_said_not_to_be() -> None:
    told = printed(side_by_side([DENSE, OBS70, MAGNITUDE, HALF]), 200)
    [rates] = [line for line in told.splitlines() if line.startswith("WER, %")]
    assert "5.8 [5.2–6.4]" in rates
    [found] = [line for line in told.splitlines() if "no real difference" in line][:1]
    assert "▲ +10.6 [+8.9 to +12.3], worse" in found
    assert "▼ -20.0 [-20.9 to -19.1], better" in told
    assert "the same" in told
    assert "energy" not in told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_four_fit_beside_each_other_at_any_width(width: int) -> None:
    told = printed(side_by_side([DENSE, OBS70, MAGNITUDE, HALF], base=3), width)
    assert max(map(len, told.splitlines())) <= width


def test_what_one_of_them_lacks_is_not_measured() -> None:
    told = printed(side_by_side([DENSE, Row("bare", wer=5.0)]))
    assert "not measured" in told
    assert "nobody knows how sure" in told


def test_a_chronicle_marks_new_bundles_and_real_changes() -> None:
    past = sorted((row for row in ROWS if row.name == "net-obs-70"), key=lambda r: r.measured_at)
    told = printed(chronicle(past, 120))
    lines = [line for line in told.splitlines() if "2026-" in line]
    assert [line.split()[1] for line in lines[:3]] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert "▲ +5.0 [" in lines[1]
    assert " new " in lines[1]
    assert "better" in lines[2]
    assert told.index("zero") > told.index("2026-03-01")


def test_a_heat_map_shows_damage_without_colours_and_the_worst() -> None:
    cells = [(Cell(0.5, 0.0), Cell(0.9, 0.2)), (Cell(0.5, 1e-5), Cell(0.9, 3.0))]
    regions = tuple(
        Region(f"model.encoder.layers.{at}.fc1", (), 10, pair) for at, pair in enumerate(cells)
    )
    found = Sensitivity("net", "obs", "layer", "token", 8, 90, 0, 0, regions)
    told = printed(heat_map(found, 100), 100)
    assert "encoder.1.fc1" in told
    assert "██3.000*" in told
    assert "1.0e-05*" in told
    assert "0.000 " in told
    assert "██*" in printed(heat_map(found, 30), 30)


def test_the_detail_has_every_section_and_says_what_must_not_be_missed() -> None:
    found = measurement("net-obs-70", "obs", 0.7, 0.064, 40.0)
    [row] = rows_from([found])
    told = Told(
        row, ["memory 100 MiB > 50 MiB"], "70 % zeros brought no latency.",
        Detail("0", found), Computed("0", 0.05, 0.1),
    )  # fmt: skip
    assert "net-obs-70  whisper · obs (unstructured) · pi" in headline(row).plain
    assert [text.plain[0] for text in alarms(told)] == ["✗", "!"]
    written = {title: text.plain for title, text in sections(told)}
    assert set(written) == {"numbers", "time by phase", "memory by stage", "where", "provenance"}
    assert "40.0 [39.2–40.8] ms × 4" in written["numbers"]
    assert "0.05 billion operations a clip, 50 % less than dense" in written["numbers"]
    assert "45 to 61.5 °C" in written["where"]
    assert "20.0 ms" in written["time by phase"]
    assert "WER 6.4 [5.8–7.0] %" in brief(row).plain


def test_a_row_without_numbers_says_why() -> None:
    assert "Took longer" in alarms(Told(ROWS[8]))[0].plain
    assert "journal ends" in alarms(Told(Row("half")))[0].plain


def test_what_is_no_number_is_not_shown_as_one() -> None:
    row = Row("x", wer=float("nan"), latency_ms=float("nan"), memory_mib=float("inf"))
    told = "".join(text.plain for _, text in sections(Told(row)))
    assert "nan" not in brief(row).plain + told


def test_bars_and_curves() -> None:
    assert bar(0, 4) == "    "
    assert bar(0.001, 4) == "╸   "
    assert bar(2.0, 4) == "━━━━"
    assert strip([1.0, 2.0, 3.0], 2) == "▁█"
    assert strip([2.0, 2.0], 9) == "▄▄"
    assert strip([], 3) == ""
