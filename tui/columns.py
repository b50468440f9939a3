"""The table's columns: what a cell says and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.report import number, sparsity, wer_with_interval
from bench.rows import Row
from tui.glyphs import is_unfinished
from tui.tradeoffs import axes
from tui.tradeoffs.axes import finite


@dataclass(frozen=True)
class Column:
    """`rank` is None where nothing was measured; texts are ranked as they are, numbers as such."""

    key: str
    title: str
    width: int
    cell: Callable[[Row], str]
    rank: Callable[[Row], float | str | None]
    is_number: bool = True


def verdict(row: Row) -> str:
    """What speaks against a row, or what is missing of it."""
    if row.problem:
        return row.problem
    if is_unfinished(row):
        return "not finished"
    return ", ".join(found for found in row.verdicts if found != "VALID")


def _of(axis: axes.Axis, title: str, width: int, digits: int) -> Column:
    return Column(axis.key, title, width, lambda row: number(axis.value(row), digits), axis.value)


def _wer(row: Row) -> str:
    return wer_with_interval(row) if finite(row.wer) is not None else ""


NAME = Column("name", "model", 20, lambda row: row.name, lambda row: row.name.lower(), False)
REMOVED = "removed"  # filled by what was counted, not by the row

#: Only where several devices are shown at once; filled by the view, which has letters for them.
DEVICE = Column(
    "device", "device", 16, lambda row: row.device, lambda row: row.device.lower(), False
)

#: The most telling first: in 80 columns the last ones are reached by scrolling.
COLUMNS = (
    NAME,
    Column("sparsity", "zeros %", 9, sparsity, lambda row: finite(row.achieved_percent)),
    Column("wer", "WER %", 19, _wer, lambda row: finite(row.wer)),
    _of(axes.LATENCY, "ms", 7, 1),
    _of(axes.SIZE, "MiB", 7, 2),
    _of(axes.MEMORY, "peak MiB", 8, 0),
    _of(axes.RTF, "RTF", 7, 4),
    Column(
        "threads",
        "thr",
        3,
        lambda row: "" if row.threads is None else str(row.threads),
        lambda row: row.threads,
    ),
    Column(REMOVED, "−FLOPs", 7, lambda row: "", lambda row: None),
    _of(axes.ENERGY, "J/clip", 6, 2),
    Column("method", "method", 14, lambda row: row.method, lambda row: row.method, False),
    Column("precision", "prec.", 5, lambda row: row.precision, lambda row: row.precision, False),
    Column("settings", "settings", 12, lambda row: row.settings, lambda row: row.settings, False),
    Column("verdict", "verdict", 44, verdict, lambda row: verdict(row) or None, False),
)
WITH_DEVICE = (NAME, DEVICE, *COLUMNS[1:])
COLUMN_OF = {column.key: column for column in WITH_DEVICE}
