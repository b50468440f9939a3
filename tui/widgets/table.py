"""The table of variants: draws only the rows in sight, so that their count is no matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.columns import NAME, Column
from tui.glyphs import FAILS, UNBEATEN, glyph_of
from tui.view import View

#: For trust, for unbeaten or failing, and for the number in a comparison.
_SIGNS = 4
_NAME_AT_MOST = 44


class VariantTable(ScrollView, can_focus=True):
    """Shows a `View`; the cursor is a place in its order."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--failing",
        "table--sign",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "jump(0)", "First", show=False),
        Binding("end,G", "jump(-1)", "Last", show=False),
        Binding("left", "shift(-8)", "Columns to the left", show=False),
        Binding("right", "shift(8)", "Columns to the right", show=False),
    ]

    cursor: reactive[int] = reactive(0)

    @dataclass
    class Moved(Message):
        """The cursor stands on another row."""

    @dataclass
    class HeadClicked(Message):
        column: Column

    def __init__(self, view: View) -> None:
        super().__init__(id="variants")
        self.view = view
        self.marked: Sequence[str] = ()
        self._front: set[int] = set()
        self._name_width = NAME.width

    @property
    def selected(self) -> int | None:
        """The position, in the view's records, of the row under the cursor."""
        order = self.view.order
        return order[self.cursor] if 0 <= self.cursor < len(order) else None

    def show(self, *, keep: str | None = None) -> None:
        """After the view has changed; the cursor stays on the record `keep`, if it is there."""
        order = self.view.order
        self._name_width = min(max(NAME.width, self.view.longest_name), _NAME_AT_MOST)
        self._front = set(self.view.front)
        self.virtual_size = Size(
            self._fixed + sum(c.width + 2 for c in self.view.columns[1:]), len(order) + 1
        )
        position = self.view.position_of(keep) if keep else None
        place = self._place_of(position)
        self.set_reactive(VariantTable.cursor, place if place is not None else 0)
        self._follow(animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def select(self, position: int) -> None:
        place = self._place_of(position)
        if place is not None:
            self.cursor = place

    def _place_of(self, position: int | None) -> int | None:
        try:
            return self.view.order.index(position)  # type: ignore[arg-type]
        except ValueError:
            return None

    @property
    def _fixed(self) -> int:
        """Columns that stay while the others are scrolled."""
        return _SIGNS + self._name_width + 2

    def validate_cursor(self, place: int) -> int:
        return max(0, min(place, len(self.view.order) - 1))

    def watch_cursor(self) -> None:
        self._follow(animate=False)
        self.refresh()
        self.post_message(self.Moved())

    @property
    def _room(self) -> Size:
        """Without scroll bars; the head is part of it."""
        return self.scrollable_content_region.size

    def _follow(self, *, animate: bool) -> None:
        """The head covers the first line, so the cursor is to stay a line below the top."""
        height = max(1, self._room.height - 1)
        top = int(self.scroll_offset.y)
        if self.cursor < top or self.cursor >= top + height:
            wanted = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=wanted, animate=animate, force=True)

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, pages: int) -> None:
        self.cursor += pages * max(1, self._room.height - 2)

    def action_jump(self, place: int) -> None:
        self.cursor = len(self.view.order) - 1 if place < 0 else place

    def action_shift(self, by: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + by, animate=False, force=True)

    def on_click(self, event: Click) -> None:
        where = event.get_content_offset(self)
        if where is None:
            return
        if where.y == 0:
            column = self._column_at(where.x)
            if column:
                self.post_message(self.HeadClicked(column))
        else:
            place = int(self.scroll_offset.y) + where.y - 1
            if place < len(self.view.order):
                self.cursor = place

    def _column_at(self, x: int) -> Column | None:
        if x < self._fixed:
            return NAME
        x += int(self.scroll_offset.x) - self._fixed
        for column in self.view.columns[1:]:
            if x < column.width + 2:
                return column
            x -= column.width + 2
        return None

    def on_resize(self) -> None:
        self._follow(animate=False)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        if y == 0:
            style = self.rich_style + self.get_component_rich_style("table--head", partial=True)
            return self._strip(self._head(), [style] * (len(self.view.columns) + 1), left)
        place = int(top) + y - 1
        if place >= len(self.view.order):
            return Strip.blank(self._room.width, self.rich_style)
        at = self.view.order[place]
        return self._strip(self._texts(at), self._styles(at, place), left)

    def _head(self) -> list[str]:
        sort, arrow = self.view.sort, "▼" if self.view.descending else "▲"
        return ["", *(c.title + (arrow if c.key == sort else "") for c in self.view.columns)]

    def _texts(self, at: int) -> list[str]:
        record = self.view.records[at]
        sign = FAILS if self.view.failing[at] else UNBEATEN if at in self._front else " "
        number = str(self.marked.index(record.key) + 1) if record.key in self.marked else " "
        return [f"{glyph_of(record.row)}{sign}{number}", *self.view.cells(at)]

    def _styles(self, at: int, place: int) -> list[Style]:
        style = self.rich_style
        failed = self.view.failing[at] or bool(self.view.records[at].row.problem)
        if failed:
            style += self.get_component_rich_style("table--failing", partial=True)
        sign = style + self.get_component_rich_style("table--sign", partial=True)
        if place == self.cursor:
            mark = self.get_component_rich_style("table--cursor", partial=True)
            style, sign = style + mark, sign + mark
        return [sign] + [style] * len(self.view.columns)

    def _strip(self, texts: Sequence[str], styles: Sequence[Style], left: float) -> Strip:
        """The first two stay where they are, the others move to the left."""
        name = _fitted(texts[1], self._name_width, is_number=False)
        fixed = Strip([Segment(texts[0].ljust(_SIGNS), styles[0]), Segment(f"{name}  ", styles[1])])
        rest = Strip(
            Segment(f"{_fitted(text, column.width, is_number=column.is_number)}  ", style)
            for column, text, style in zip(
                self.view.columns[1:], texts[2:], styles[2:], strict=True
            )
        )
        width = self._room.width
        room = max(0, width - self._fixed)
        moved = rest.crop(int(left), int(left) + room)
        return Strip.join([fixed, moved]).adjust_cell_length(width, styles[-1])


def _fitted(text: str, width: int, *, is_number: bool) -> str:
    """An ellipsis shows that something is missing; a number is never cut."""
    text = text.replace("\n", " ")
    if len(text) > width and not is_number:
        return text[: width - 1] + "…"
    return text.rjust(width) if is_number else text.ljust(width)
