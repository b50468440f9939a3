"""The selected variant over time, on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.chronicle import chronicle
from tui.source.messages import PastRead, ReadFailed
from tui.source.records import Record
from tui.widgets.board import Board
from tui.widgets.head import Head
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from tui.app import SecateurApp


class HistoryScreen(Screen[None]):
    TITLE = "History"
    HELP = (
        "Every measurement of bundles with the selected variant's name, oldest first, each beside "
        "the one before it on the same device; `new` marks a bundle that was made anew."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.go('explore')", "Back")]

    def __init__(self) -> None:
        super().__init__(id="history")
        self._record: Record | None = None
        self._past: Sequence[Record] = ()
        self._message = "Select a variant on the first screen."

    def compose(self) -> ComposeResult:
        yield Head("History")
        yield Board(id="history-board")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(Board).focus()
        self._update()

    def on_screen_resume(self) -> None:
        app = cast("SecateurApp", self.app)
        record = app.selected
        if record is None:
            return
        self._record, self._past, self._message = record, (), "Reading …"
        self._update()
        if record.key.isdigit():
            app.feed.ask_past(self, record)
        else:
            self._message = "It was never measured: it is ESTIMATED."
            self._update()

    def on_past_read(self, message: PastRead) -> None:
        self._record, self._past = message.record, message.past
        self._message = "No other measurement has this name."
        self._update()

    def on_read_failed(self, message: ReadFailed) -> None:
        self._past, self._message = (), f"✗ {message.sentence}"
        self._update()

    def _update(self) -> None:
        self.query_one(Head).show(self._record.row.name if self._record else "")
        self.query_one(Board).show(self._content)

    def _content(self, width: int) -> RenderableType:
        if not self._past:
            return Text(self._message)
        return chronicle([record.row for record in self._past], width)
