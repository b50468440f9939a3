"""The table of variants: sorted by any column, unmeasured cells always last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.widgets import DataTable

from bench.report import number, wer_with_interval
from bench.rows import Row


@dataclass(frozen=True)
class VariantColumn:
    """`rank` is what the column sorts by; None means not measured."""

    title: str
    cell: Callable[[Row], str]
    rank: Callable[[Row], float | str | None]
    is_number: bool = True


# Narrow and most telling first: in 80 columns the last ones are reached by scrolling.
COLUMNS = (
    VariantColumn("model", lambda row: row.name, lambda row: row.name.lower(), is_number=False),
    VariantColumn(
        "zeros %", lambda row: number(row.achieved_percent, 1), lambda row: row.achieved_percent
    ),
    VariantColumn("WER %", wer_with_interval, lambda row: row.wer),
    VariantColumn("ms", lambda row: number(row.latency_ms, 1), lambda row: row.latency_ms),
    VariantColumn("MiB", lambda row: number(row.size_mib, 2), lambda row: row.size_mib),
    VariantColumn("peak MiB", lambda row: number(row.memory_mib, 0), lambda row: row.memory_mib),
    VariantColumn(
        "RTF", lambda row: number(row.real_time_factor, 4), lambda row: row.real_time_factor
    ),
    VariantColumn("method", lambda row: row.method, lambda row: row.method, is_number=False),
)


def sorted_positions(rows: Sequence[Row], column: int | None, descending: bool) -> list[int]:
    """Positions of the rows in the column's order, or as given without one.

    What was not measured stays at the end either way.
    """
    if column is None:
        return list(range(len(rows)))
    ranked = [(COLUMNS[column].rank(row), position) for position, row in enumerate(rows)]
    known = [pair for pair in ranked if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)  # type: ignore[arg-type, return-value]
    return [at for _, at in known] + [at for rank, at in ranked if rank is None]


class VariantTable(DataTable[Text]):
    """Rows keep their position in the given list as their key, however they are sorted."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(id="variants", cursor_type="row", zebra_stripes=True)
        self._rows = rows
        self.sort_column: int | None = None  # as in the results file
        self.descending = False

    def on_mount(self) -> None:
        self._fill()

    @property
    def selected(self) -> int | None:
        """The position (in the given rows) under the cursor."""
        if not self._rows or not self.is_valid_row_index(self.cursor_row):
            return None
        return int(str(self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value))

    def sort_by(self, column: int) -> None:
        """Sorts by the column; a second time turns the order round."""
        self.descending = not self.descending if column == self.sort_column else False
        self.sort_column = column
        self._fill()

    def sort_by_next(self) -> None:
        self.sort_by(0 if self.sort_column is None else (self.sort_column + 1) % len(COLUMNS))

    def turn_round(self) -> None:
        self.sort_by(self.sort_column or 0)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self.sort_by(event.column_index)

    def _fill(self) -> None:
        selected = self.selected
        with self.prevent(DataTable.RowHighlighted):
            self.clear(columns=True)
            for position, column in enumerate(COLUMNS):
                self.add_column(self._title(position, column))
            for at in sorted_positions(self._rows, self.sort_column, self.descending):
                self.add_row(
                    *map(self._cell, COLUMNS, [self._rows[at]] * len(COLUMNS)), key=str(at)
                )
            if selected is not None:
                self.move_cursor(row=self.get_row_index(str(selected)))

    def _title(self, position: int, column: VariantColumn) -> Text:
        arrow = ("▼" if self.descending else "▲") if position == self.sort_column else ""
        return Text(column.title + arrow, justify="right" if column.is_number else "left")

    @staticmethod
    def _cell(column: VariantColumn, row: Row) -> Text:
        return Text(
            column.cell(row),
            style="dim" if row.problem else "",
            justify="right" if column.is_number else "left",
        )
