"""The terminal app: variants in a table, their trade-off in a plot, the selected one in words.

It shows the rows it is given and reads nothing itself, so that tests can hand it any rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import DataTable, Footer, Header, Static

from bench.report import number, wer_with_interval
from bench.results import read_results
from bench.rows import Row, rows_from
from tui.plot import TradeoffPlot
from tui.tradeoffs import X_AXES, Y_AXES, following
from tui.variants import VariantTable


class TradeoffApp(App[None]):
    """Which variant to keep."""

    CSS_PATH = "app.tcss"
    TITLE = "Secateur"
    ENABLE_COMMAND_PALETTE = False
    # Table above plot in a small terminal, side by side in a wide one.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]  # noqa: RUF012 - textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        ("s", "sort", "Sort by next"),
        ("d", "turn", "Turn order"),
        ("x", "across", "X axis"),
        ("y", "up", "Y axis"),
        ("q", "quit", "Quit"),
    ]

    def __init__(self, rows: Sequence[Row], source: str = "") -> None:
        super().__init__()
        self.rows = rows
        self.sub_title = source
        self.x_axis = X_AXES[0]
        self.y_axis = Y_AXES[0]

    def compose(self) -> ComposeResult:
        yield Header()
        with Container(id="comparison"):
            yield VariantTable(self.rows)
            yield TradeoffPlot()
        yield Static(id="detail")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(VariantTable).focus()
        self._refresh_selection()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._refresh_selection()

    def on_resize(self) -> None:
        """The ticks depend on the plot's height, which is known only after the next layout."""
        self.call_after_refresh(self._refresh_selection)

    def action_sort(self) -> None:
        self.query_one(VariantTable).sort_by_next()

    def action_turn(self) -> None:
        self.query_one(VariantTable).turn_round()

    def action_across(self) -> None:
        self.x_axis = following(X_AXES, self.x_axis)
        self._refresh_selection()

    def action_up(self) -> None:
        self.y_axis = following(Y_AXES, self.y_axis)
        self._refresh_selection()

    def _refresh_selection(self) -> None:
        """The plot and the words below follow the cursor and the axes."""
        selected = self.query_one(VariantTable).selected
        self.query_one(TradeoffPlot).show(self.rows, selected, self.x_axis, self.y_axis)
        words = Text("No variant has been measured yet.") if selected is None else None
        self.query_one("#detail", Static).update(words or in_words(self.rows[selected or 0]))


def in_words(row: Row) -> Text:
    """The selected variant on two lines of 80; what went wrong, if anything did, not numbers."""
    head = Text.assemble((row.name, "bold"), f"  {row.family} {row.method}".rstrip())
    if row.problem:
        return Text.assemble(head, "\n", (row.problem, "red"))
    rates = _listed(
        ("CER ", number(row.cer, 1), " %"), ("RTF ", number(row.real_time_factor, 4), "")
    )
    costs = _listed(
        ("WER ", wer_with_interval(row), " %"),
        ("", number(row.latency_ms, 1), f" ms × {row.samples}"),
        ("", number(row.size_mib, 2), " MiB"),
        ("peak ", number(row.memory_mib, 0), " MiB"),
    )
    return Text.assemble(head, f"  {rates}\n{costs}")


def _listed(*facts: tuple[str, str, str]) -> str:
    """What was measured, each with the words before and after it; the rest is left out."""
    return " · ".join(f"{before}{value}{after}" for before, value, after in facts if value)


def run(results_path: Path) -> None:
    """Shows a results file until the user quits; raises BadInput before anything is drawn."""
    rows = rows_from(read_results(results_path))
    TradeoffApp(rows, source=results_path.name).run()
