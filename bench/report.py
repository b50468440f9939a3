"""The comparison as a table: in the terminal (rich) or as Markdown, with the same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.rows import Row

# Said wherever sparsity stands beside latency, because readers expect one to buy the other.
CAPTION = (
    "Sparsity counts zeros among the prunable weights; zeros alone make no dense runtime faster. "
    "WER with its 95 % interval, from the host. Latency is the median per clip."
)


@dataclass(frozen=True)
class Column:
    """A heading and the text of a row's cell under it; an empty text means not measured."""

    title: str
    cell: Callable[[Row], str]
    is_number: bool = True
    wide_only: bool = False  # left out where the terminal is too narrow for all


def number(value: float | None, digits: int) -> str:
    """Fixed digits, or nothing for what was not measured."""
    return "" if value is None else f"{value:.{digits}f}"


def wer_with_interval(row: Row) -> str:
    """`6.4 [5.1–7.9]`: intervals of a WER are lopsided, so both ends are shown."""
    if row.wer is None:
        return ""
    if row.wer_low is None or row.wer_high is None:
        return f"{row.wer:.1f}"
    return f"{row.wer:.1f} [{row.wer_low:.1f}–{row.wer_high:.1f}]"


def sparsity(row: Row) -> str:
    """Requested / achieved, in percent."""
    if row.requested_percent is None and row.achieved_percent is None:
        return ""
    return f"{number(row.requested_percent, 0) or '–'} / {number(row.achieved_percent, 1) or '–'}"


COLUMNS = (
    Column("model", lambda row: row.name, is_number=False),
    Column("method", lambda row: row.method, is_number=False, wide_only=True),
    Column("zeros %\nask / got", sparsity),
    Column("WER %", wer_with_interval),
    Column("size\nMiB", lambda row: number(row.size_mib, 2)),
    Column("latency\nms", lambda row: number(row.latency_ms, 1)),
    Column("RTF", lambda row: number(row.real_time_factor, 4), wide_only=True),
    Column("peak\nMiB", lambda row: number(row.memory_mib, 1)),
)


def table(rows: Sequence[Row], *, narrow: bool = False) -> Table:
    """For a terminal; failed rows are dimmed and their reasons stand in the caption."""
    caption = Text("\n".join([CAPTION, *problems(rows)]))
    grid = Table(caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = [column for column in COLUMNS if not (narrow and column.wide_only)]
    for column in columns:
        side: Literal["left", "right"] = "right" if column.is_number else "left"
        grid.add_column(column.title, justify=side, no_wrap=True)
    for row in rows:
        cells = [Text(column.cell(row)) for column in columns]
        grid.add_row(*cells, style="dim" if row.problem else None)
    return grid


def show(rows: Sequence[Row]) -> None:
    """Print the table: in a terminal as wide as that is, in a pipe as wide as it needs to be."""
    console = Console()
    wanted = 2 + sum(_width(column, rows) for column in COLUMNS)
    if not console.is_terminal:
        console.width = max(console.width, wanted)
    console.print(table(rows, narrow=console.width < wanted))


def _width(column: Column, rows: Sequence[Row]) -> int:
    """Of the widest cell or line of the heading, and the space beside it."""
    texts = [*column.title.split("\n"), *(column.cell(row) for row in rows)]
    return max(map(len, texts)) + 2


def markdown(rows: Sequence[Row]) -> str:
    """A GitHub-flavoured table, then the caption, then one line per failed row."""
    heads = [column.title.replace("\n", " ") for column in COLUMNS]
    rules = ["---:" if column.is_number else "---" for column in COLUMNS]
    lines = [heads, rules, *([_escaped(column.cell(row)) for column in COLUMNS] for row in rows)]
    grid = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n\n".join([grid, CAPTION, *(f"- {problem}" for problem in problems(rows))]) + "\n"


def problems(rows: Sequence[Row]) -> list[str]:
    """One line for each row that failed or is not to be trusted."""
    return [f"{row.name}: {row.problem}" for row in rows if row.problem]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
