"""Something written that scrolls: what a screen has to say, drawn anew when its width changes."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import RenderableType
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static


class Board(VerticalScroll, can_focus=True):
    """`show` takes what makes the text from the width that there is."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._make: Callable[[int], RenderableType] = lambda width: ""

    def compose(self) -> ComposeResult:
        yield Static(classes="board-text")

    def show(self, make: Callable[[int], RenderableType]) -> None:
        self._make = make
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _update(self) -> None:
        self.query_one(Static).update(self._make(max(20, self.size.width - 2)))
