"""The selected result: what must not be missed, then its sections, side by side where they fit."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.words import Section, Told, alarms, brief, headline, sections

#: Columns of text that a section wants at least.
_COLUMN = 38


class Detail(VerticalScroll, can_focus=True):
    """Call `tell` with all that is known so far; `is_brief` leaves the sections out."""

    def __init__(self, *, id: str = "detail") -> None:
        super().__init__(id=id)
        self._told: Told | None = None
        self._message = ""

    def compose(self) -> ComposeResult:
        yield Static(id="detail-text")

    def tell(self, told: Told) -> None:
        if told.row is not (self._told.row if self._told else None):
            self.scroll_home(animate=False)
        self._told = told
        self._update()

    def say(self, message: str) -> None:
        """Where nothing is selected."""
        self._told, self._message = None, message
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _update(self) -> None:
        static = self.query_one("#detail-text", Static)
        static.update(self._content() if self._told else Text(self._message))

    def _content(self) -> RenderableType:
        assert self._told
        told = self._told
        head: list[RenderableType] = [headline(told.row), *alarms(told)]
        if self.size.height < 8:
            return Group(*head, brief(told.row))
        count = max(1, min(3, self.size.width // _COLUMN))
        return Group(*head, Text(), _side_by_side(sections(told), count))


def _side_by_side(found: list[Section], count: int) -> RenderableType:
    """Filled column by column, each as high as the others, or nearly so."""
    columns: list[list[Section]] = [[] for _ in range(count)]
    heights = [0] * count
    for section in found:
        lowest = heights.index(min(heights))
        columns[lowest].append(section)
        heights[lowest] += section[1].plain.count("\n") + 2
    grid = Table.grid(padding=(0, 2), expand=True)
    for _ in columns:
        grid.add_column(ratio=1)
    grid.add_row(*(Group(*map(_block, column)) for column in columns))
    return grid


def _block(section: Section) -> Text:
    title, text = section
    return Text.assemble(
        (f"{title}\n", "bold underline"), text, no_wrap=text.no_wrap, overflow="ellipsis"
    )
