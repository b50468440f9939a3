"""Two to four variants side by side, on one device or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.comparison import side_by_side
from tui.source.records import Record
from tui.widgets.board import Board
from tui.widgets.head import Head
from tui.widgets.key_line import KeyLine

HOW = (
    "Mark two to four variants with the space bar on the first screen, on whichever devices, and "
    "press c. Without marks, c holds the selected variant against its dense model."
)
NOTE = (
    "Intervals are of 95 %. A difference is real where its interval leaves out zero; variants that "
    "heard the same clips differ even more surely than that says."
)


class CompareScreen(Screen[None]):
    TITLE = "Compare"
    HELP = f"{HOW} `n` holds the others against the next one. {NOTE}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_base", "Against the next"),
        Binding("escape", "app.go('explore')", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__(id="compare")
        self._records: Sequence[Record] = ()
        self._base = 0

    @property
    def rows(self) -> list[Record]:
        return list(self._records)

    def compose(self) -> ComposeResult:
        yield Head("Compare")
        yield Board(id="compare-board")
        yield KeyLine()

    def on_mount(self) -> None:
        self._update()
        self.query_one(Board).focus()

    def show(self, records: Sequence[Record]) -> None:
        self._records, self._base = list(records), 0
        if self.is_mounted:
            self._update()

    def action_next_base(self) -> None:
        if self._records:
            self._base = (self._base + 1) % len(self._records)
            self._update()

    def _update(self) -> None:
        self.query_one(Board).show(self._content)

    def _content(self, width: int) -> RenderableType:
        if not self._records:
            return Text(HOW)
        rows = [record.row for record in self._records]
        return Group(side_by_side(rows, self._base), Text(f"\n{NOTE}", "dim"))
