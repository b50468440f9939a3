"""The same variant over time: each measurement beside the one before it in the same place; pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import groups
from bench.report import wer_with_interval
from bench.rows import Row
from tui.bars import strip
from tui.columns import verdict
from tui.comparison import LINES, Line, told_difference
from tui.glyphs import glyph_of
from tui.tradeoffs import axes
from tui.tradeoffs.axes import LATENCY, finite
from tui.tradeoffs.difference import Measured, difference

_LATENCY = next(line for line in LINES if line.axis is LATENCY)


def chronicle(rows: Sequence[Row], width: int) -> RenderableType:
    """Rows rise in time, and only comparable ones follow each other; a new bundle is marked."""
    series: dict[tuple[str, int | None, str, groups.Group], list[Row]] = {}
    for row in rows:
        comparable = (row.device, row.threads, row.settings, groups.group_of(row))
        series.setdefault(comparable, []).append(row)
    labels = groups.labels(group for *_, group in series)
    parts: list[RenderableType] = []
    for (device, threads, settings, group), found in series.items():
        about = (_threads(threads), settings, labels[group] if len(labels) > 1 else "")
        parts += [_title(device, about, found), _table(found, width), Text()]
    return Group(*parts)


def _title(device: str, facts: Sequence[str], rows: Sequence[Row]) -> Text:
    about = ", ".join(filter(None, facts))
    latencies = [value for row in rows if (value := LATENCY.value(row)) is not None]
    return Text.assemble(
        (device or "this", "bold"), f"  {about}  ", (strip(latencies, 40), ""), ("  ms\n", "dim")
    )


def _threads(count: int | None) -> str:
    return "" if count is None else "1 thread" if count == 1 else f"{count} threads"


def _table(rows: Sequence[Row], width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    heads = ["", "measured", "bundle", "ms", "since the one before", "WER %", "verdict"]
    kept = heads if width >= 100 else heads[:5]
    table.add_row(*(Text(head, "dim") for head in kept))
    before: Row | None = None
    for row in rows:
        cells = _cells(row, before)
        table.add_row(*cells[: len(kept)])
        before = row
    return table


def _cells(row: Row, before: Row | None) -> list[Text]:
    sha = (row.bundle_sha256 or "")[:8]
    is_new = before is not None and before.bundle_sha256 != row.bundle_sha256
    return [
        Text(glyph_of(row)),
        Text(row.measured_at[:16].replace("T", " ")),
        Text(f"{sha}{' new' if is_new else ''}", "bold" if is_new else ""),
        Text("" if axes.LATENCY.value(row) is None else f"{axes.LATENCY.value(row):.1f}"),
        _since(_LATENCY, row, before),
        Text(wer_with_interval(row) if finite(row.wer) is not None else ""),
        Text(verdict(row), overflow="ellipsis", no_wrap=True),
    ]


def _since(line: Line, row: Row, before: Row | None) -> Text:
    mine = Measured.of(line.axis, row)
    theirs = Measured.of(line.axis, before) if before else None
    if mine is None or theirs is None:
        return Text("")
    words, style = told_difference(difference(mine, theirs), line)
    return Text(words, style)
