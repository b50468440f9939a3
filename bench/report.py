"""The comparison as a table: in the terminal (rich) or as Markdown, with the same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from bench.console import SafeConsole
from bench.groups import Group, group_of, in_groups, labels
from bench.rows import ESTIMATED, OTHER_CLIPS, Row
from speech.printable import printable

# Said wherever sparsity stands beside latency, because readers expect one to buy the other.
CAPTION = (
    "Sparsity counts zeros among the prunable weights; zeros alone make no dense runtime faster. "
    "WER with its 95 % interval, from the host. Latency is the median per clip."
)
# Where the device's own WER is shown: its clips are few.
DEVICE_CAPTION = "WER there is of what was heard while measuring."
OTHER_CAPTION = (
    f"{OTHER_CLIPS} rows were timed on another corpus than the host's WER is of: latency, RTF and "
    "the device's WER are of that."
)
GROUP_CAPTION = "Rows of different groups cannot be compared:"
ESTIMATE_CAPTION = "ESTIMATED rows were not measured: they are reckoned, and may be far off."


@dataclass(frozen=True)
class Column:
    """A heading and the text of a row's cell under it; an empty text means not measured."""

    title: str
    cell: Callable[[Row], str]
    is_number: bool = True
    wide_only: bool = False  # left out where the terminal is too narrow for all
    shown: Callable[[Sequence[Row]], bool] = lambda rows: True  # whether it tells these rows apart


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


def device_wer_with_interval(row: Row) -> str:
    """Of the clips that were measured, which are few: the interval is wide."""
    return wer_with_interval(
        replace(row, wer=row.device_wer, wer_low=row.device_wer_low, wer_high=row.device_wer_high)
    )


def sparsity(row: Row) -> str:
    """Requested / achieved, in percent."""
    if row.requested_percent is None and row.achieved_percent is None:
        return ""
    return f"{number(row.requested_percent, 0) or '–'} / {number(row.achieved_percent, 1) or '–'}"


def _differ(cell: Callable[[Row], object]) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: len({cell(row) for row in rows}) > 1


def _are_told(cell: Callable[[Row], object]) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: any(cell(row) for row in rows)


def _doubts(row: Row) -> str:
    return ", ".join(verdict for verdict in row.verdicts if verdict != "VALID")


#: The full table is what `--json` and `--csv` give; here is what tells the rows apart.
COLUMNS = (
    Column(
        "device", lambda row: row.device, is_number=False, shown=_differ(lambda row: row.device)
    ),
    Column("model", lambda row: row.name, is_number=False),
    Column(
        "precision",
        lambda row: row.precision,
        is_number=False,
        wide_only=True,
        shown=_differ(lambda row: row.precision),
    ),
    Column(
        "threads",
        lambda row: "" if row.threads is None else str(row.threads),
        shown=_differ(lambda row: row.threads),
    ),
    Column(
        "settings",
        lambda row: row.settings,
        is_number=False,
        shown=_differ(lambda row: row.settings),
    ),
    Column("method", lambda row: row.method, is_number=False, wide_only=True),
    Column("zeros %\nask / got", sparsity),
    Column("WER %", wer_with_interval),
    Column(
        "WER % there",
        device_wer_with_interval,
        wide_only=True,
        shown=_are_told(lambda row: row.device_wer is not None),
    ),
    Column("size\nMiB", lambda row: number(row.size_mib, 2)),
    Column("latency\nms", lambda row: number(row.latency_ms, 1)),
    Column("RTF", lambda row: number(row.real_time_factor, 4), wide_only=True),
    Column("peak\nMiB", lambda row: number(row.memory_mib, 1)),
    Column(
        "best of",
        lambda row: "" if row.best_of is None else str(row.best_of),
        shown=_are_told(lambda row: row.best_of),
    ),
    Column("verdict", _doubts, is_number=False, shown=_are_told(_doubts)),
)


def columns_for(rows: Sequence[Row], *, narrow: bool = False) -> list[Column]:
    """Those that say something of these rows, after the group's number where there are several."""
    numbers = {group: str(at) for at, group in enumerate(_groups(rows), start=1)}
    group = Column("group", lambda row: numbers.get(group_of(row), ""))
    first = [group] if len(numbers) > 1 else []
    told = [*first, *(column for column in COLUMNS if column.shown(rows))]
    return [column for column in told if not (narrow and column.wide_only)]


def legend(rows: Sequence[Row]) -> list[str]:
    """What each number in the column of groups stands for; nothing where there is one group."""
    names = labels(_groups(rows))
    if len(names) < 2:
        return []
    return [GROUP_CAPTION, *(f"{at}: {name}" for at, name in enumerate(names.values(), start=1))]


def _groups(rows: Sequence[Row]) -> list[Group]:
    """Of the rows that have numbers: what failed early is compared with nothing."""
    told = (row for row in rows if row.wer is not None or row.latency_ms is not None)
    return list(in_groups(told))


def table(rows: Sequence[Row], *, narrow: bool = False) -> Table:
    """For a terminal; failed rows are dimmed and their reasons stand in the caption."""
    text = Text("\n".join([caption(rows), *legend(rows), *problems(rows)]))
    grid = Table(caption=text, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = columns_for(rows, narrow=narrow)
    for column in columns:
        side: Literal["left", "right"] = "right" if column.is_number else "left"
        grid.add_column(column.title, justify=side, no_wrap=True)
    for row in rows:
        cells = [Text(printable(column.cell(row))) for column in columns]
        grid.add_row(*cells, style="dim" if row.problem else None)
    return grid


def show(rows: Sequence[Row]) -> None:
    """Print the table: in a terminal as wide as that is, in a pipe as wide as it needs to be."""
    console = SafeConsole()
    wanted = 2 + sum(_width(column, rows) for column in columns_for(rows))
    if not console.is_terminal:
        console.width = max(console.width, wanted)
    console.print(table(rows, narrow=console.width < wanted))


def _width(column: Column, rows: Sequence[Row]) -> int:
    """Of the widest cell or line of the heading, and the space beside it."""
    texts = [*column.title.split("\n"), *(printable(column.cell(row)) for row in rows)]
    return max(map(len, texts)) + 2


def markdown(rows: Sequence[Row]) -> str:
    """A GitHub-flavoured table, then the caption, then one line per failed row."""
    columns = columns_for(rows)
    heads = [column.title.replace("\n", " ") for column in columns]
    rules = ["---:" if column.is_number else "---" for column in columns]
    lines = [heads, rules, *([_escaped(column.cell(row)) for column in columns] for row in rows)]
    grid = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    notes = [f"- {line}" for line in (*legend(rows)[1:], *problems(rows))]
    told = " ".join([caption(rows), *legend(rows)[:1]])
    return "\n\n".join([grid, told, *notes]) + "\n"


def caption(rows: Sequence[Row]) -> str:
    """What a reader must know of the columns that are shown."""
    there = any(row.device_wer is not None for row in rows)
    estimated = any(ESTIMATED in row.verdicts for row in rows)
    other = any(OTHER_CLIPS in row.verdicts for row in rows)
    notes = [
        (CAPTION, True),
        (DEVICE_CAPTION, there),
        (OTHER_CAPTION, other),
        (ESTIMATE_CAPTION, estimated),
    ]
    return " ".join(note for note, holds in notes if holds)


def problems(rows: Sequence[Row]) -> list[str]:
    """One line for each row that failed or is not to be trusted."""
    return [printable(f"{row.name}: {row.problem}") for row in rows if row.problem]


def _escaped(cell: str) -> str:
    return printable(cell.replace("\n", " ")).replace("|", "\\|")
