"""Two to four variants side by side: what they are, and which differences are real; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from bench.report import number
from bench.rows import Row
from tui.glyphs import glyph_of
from tui.tradeoffs import axes
from tui.tradeoffs.axes import Axis, finite
from tui.tradeoffs.difference import Difference, Measured, difference

SAME = "no real difference"


@dataclass(frozen=True)
class Line:
    """A quantity to compare; exact ones are counted, so that any difference of theirs is real."""

    title: str
    axis: Axis
    digits: int
    is_exact: bool = False

    def measured(self, row: Row) -> Measured | None:
        found = Measured.of(self.axis, row)
        return Measured.exact(found.value) if found and self.is_exact else found


LINES = (
    Line("WER, %", axes.WER, 1),
    Line("WER there, %", axes.DEVICE_WER, 1),
    Line("CER, %", axes.CER, 1),
    Line("median latency, ms", axes.LATENCY, 1),
    Line("RTF", axes.RTF, 4),
    Line("peak memory, MiB", axes.MEMORY, 1),
    Line("size, MiB", axes.SIZE, 2, is_exact=True),
    Line("energy, J a clip", axes.ENERGY, 2),
)
FACTS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("device", lambda row: row.device),
    ("method", lambda row: row.method),
    ("precision", lambda row: row.precision),
    ("threads", lambda row: "" if row.threads is None else str(row.threads)),
    ("settings", lambda row: row.settings),
    ("zeros, %", lambda row: number(finite(row.achieved_percent), 1)),
    ("verdict", lambda row: ", ".join(row.verdicts)),
    ("measured", lambda row: row.measured_at[:16].replace("T", " ")),
)


def side_by_side(rows: Sequence[Row], base: int = 0) -> Table:
    """Differences are from the one at `base`; facts that all share are said once, in its column."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=3)
    for _ in rows:
        table.add_column(ratio=4, overflow="fold")
    names = [_name(row, at, base) for at, row in enumerate(rows)]
    table.add_row(Text(""), *names)
    table.add_row()
    for line in LINES:
        if any(line.measured(row) for row in rows):
            cells = [_cell(line, rows, at, base) for at in range(len(rows))]
            table.add_row(Text(line.title, "dim"), *cells)
    table.add_row()
    for title, fact in FACTS:
        facts = [fact(row) for row in rows]
        if any(facts):
            table.add_row(Text(title, "dim"), *map(Text, facts))
    return table


def _name(row: Row, at: int, base: int) -> Text:
    role = "all others are held against it" if at == base else ""
    return Text.assemble(f"{at + 1} {glyph_of(row)} ", (row.name, "bold"), f"\n{role}")


def _cell(line: Line, rows: Sequence[Row], at: int, base: int) -> Text:
    mine, theirs = line.measured(rows[at]), line.measured(rows[base])
    if mine is None:
        return Text("not measured", "dim")
    text = Text(_value(mine, line))
    if at != base and theirs is not None:
        words, style = told_difference(difference(mine, theirs), line)
        text.append(f"\n{words}", style)
    return text


def _value(found: Measured, line: Line) -> str:
    told = f"{found.value:.{line.digits}f}"
    if found.low is None or found.high is None or line.is_exact:
        return told
    return f"{told} [{found.low:.{line.digits}f}–{found.high:.{line.digits}f}]"


def told_difference(found: Difference, line: Line) -> tuple[str, str]:
    """With a style; the sign and the words say it without colour, too."""
    is_nothing = float(f"{found.value:.{line.digits}f}") == 0
    if is_nothing and (line.is_exact or not found.is_real):
        return "the same", "dim"
    if found.is_real is False:
        return SAME, "dim"
    better = found.value < 0 if line.axis.lower_is_better else found.value > 0
    arrow = "▼" if found.value < 0 else "▲"
    told = f"{arrow} {found.value:+.{line.digits}f}"
    if found.is_real is None:
        return f"{told}, nobody knows how sure", "dim"
    if line.is_exact:
        return f"{told}, {'better' if better else 'worse'}", "bold" if better else ""
    assert found.low is not None
    assert found.high is not None
    ends = f" [{found.low:+.{line.digits}f} to {found.high:+.{line.digits}f}]"
    return f"{told}{ends}, {'better' if better else 'worse'}", "bold" if better else ""
