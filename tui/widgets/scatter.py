"""The scatter plot on the screen: keeps the window that is looked at, and says what is clicked."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import Click, MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.scatter_grid import MANY_BARS, Cell, Floats, Plane, Scene, Window, draw, nearest
from tui.tradeoffs.axes import Axis
from tui.view import View

#: So many colours tell methods, or devices, apart; then they come round again.
METHOD_COLOURS = 7
_NEARER, _FARTHER, _STEP = 0.8, 1.25, 0.15


class Scatter(Widget):
    """Shows a `View`; `selected` and `marked` are positions in its records."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"scatter--{name}" for name in ("axis", "tick", "front", "bar", "limit", "unbeaten")),
        *(f"scatter--{name}" for name in ("selected", "marked", "failing")),
        *(f"scatter--method-{number}" for number in range(METHOD_COLOURS)),
    }

    @dataclass
    class Picked(Message):
        """A point was clicked."""

        position: int

    def __init__(self, view: View) -> None:
        super().__init__(id="scatter")
        self.view = view
        self.window: Window | None = None  # None: all of it
        self._selected: int | None = None
        self._marked: Sequence[int] = ()
        self._scene: Scene | None = None
        self._shown: tuple[object, ...] = ()
        self._lines: list[Strip] | None = None
        self._glyphs: list[str] = []
        self._groups: list[str] = []
        self._marked_version = -1
        self._held: tuple[int, int] | None = None
        self._dragged = False

    def show(self, selected: int | None, marked: Sequence[int]) -> None:
        """After the view, the selection or the marks have changed."""
        shown = (self.view.version, self.view.order, self.view.failing, self.view.front)
        if self._scene is not None and all(map(operator.is_, shown, self._shown)):
            self._scene = replace(self._scene, selected=selected, marked=marked)
        else:
            self._scene = None
        self._shown, self._selected, self._marked = shown, selected, marked
        self._lines = None
        x, y = self.view.x_axis, self.view.y_axis
        self.border_title = f"{y.label} over {x.label}"
        told = [f"{letter} {device}" for device, letter in self.view.letters.items()]
        self.border_subtitle = Content(" · ".join(told))
        self.refresh()

    def show_all(self) -> None:
        self.window = None
        self._repaint()

    def zoom(self, factor: float, at: tuple[float, float] = (0.5, 0.5)) -> None:
        window = self._window()
        if window:
            self.window = window.zoomed(factor, at)
            self._repaint()

    def pan(self, right: float, up: float) -> None:
        window = self._window()
        if window:
            self.window = window.moved(right, up)
            self._repaint()

    def zoom_in(self) -> None:
        self.zoom(_NEARER)

    def zoom_out(self) -> None:
        self.zoom(_FARTHER)

    def step(self, right: int, up: int) -> None:
        self.pan(right * _STEP, up * _STEP)

    def render_line(self, y: int) -> Strip:
        if self._lines is None:
            self._lines = self._painted()
        if y < len(self._lines):
            return self._lines[y]
        return Strip.blank(self.size.width, self.rich_style)

    def on_resize(self) -> None:
        self._repaint()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = None

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.zoom(_FARTHER, self._share(event.x, event.y))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.zoom(_NEARER, self._share(event.x, event.y))

    def on_mouse_down(self, event: MouseDown) -> None:
        self._held, self._dragged = (event.x, event.y), False
        self.capture_mouse()

    def on_mouse_up(self, event: MouseUp) -> None:
        self._held = None
        self.release_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._held is None:
            return
        (x, y), self._held = self._held, (event.x, event.y)
        if (x, y) != self._held:
            self._dragged = True
            width, height = max(1, self.size.width), max(1, self.size.height)
            self.pan((x - event.x) / width, (event.y - y) / height)

    def on_click(self, event: Click) -> None:
        where = event.get_content_offset(self)
        window = self._window()
        if self._dragged or where is None or window is None or self._scene is None:
            return
        at = nearest(self._scene, window, *self.size, where.x, where.y)
        if at is not None:
            self.post_message(self.Picked(at))

    def _share(self, x: int, y: int) -> tuple[float, float]:
        window = self._window()
        if window is None:
            return 0.5, 0.5
        edge = 1 if self.styles.border_top[0] else 0
        return Plane(window, *self.size).share(x - edge, y - edge)

    def _repaint(self) -> None:
        self._lines = None
        self.refresh()

    def _window(self) -> Window | None:
        if self.window is not None:
            return self.window
        scene = self._scene or self._make_scene()
        self._scene = scene
        return Window.around(scene.x, scene.y)

    def _make_scene(self) -> Scene:
        """Positions are those of the view; what is not shown has no place in the plane."""
        view = self.view
        shown = view.shown()
        self._mark_points()
        return Scene(
            x=np.where(shown, view.points(view.x_axis), np.nan),
            y=view.points(view.y_axis),
            glyphs=self._glyphs,
            styles=[
                "failing" if bad else style
                for bad, style in zip(view.failing.tolist(), self._groups, strict=True)
            ],
            front=view.front,
            more_is_better=not view.x_axis.lower_is_better,
            selected=self._selected,
            marked=self._marked,
            x_bars=_bars(view, view.x_axis),
            y_bars=_bars(view, view.y_axis),
            x_limit=view.limits.at_most.get(view.x_axis.key),
        )

    def _mark_points(self) -> None:
        """Only when there are other records: it takes a while for many."""
        if self._marked_version == self.view.version:
            return
        self._marked_version = self.view.version
        groups = self.view.kinds()
        numbers = {name: number for number, name in enumerate(sorted(set(groups)))}
        self._glyphs = self.view.marks()
        self._groups = [f"method-{numbers[name] % METHOD_COLOURS}" for name in groups]

    def _painted(self) -> list[Strip]:
        width, height = self.size
        window = self._window()
        if window is None or self._scene is None or width < 20 or height < 4:
            return [self._empty(width)]
        cells = draw(self._scene, window, width, height).cells
        styles: dict[str, Style] = {}
        return [self._line(line, styles) for line in cells]

    def _empty(self, width: int) -> Strip:
        view = self.view
        told = f" Nothing has both {view.y_axis.label} and {view.x_axis.label}."
        words = told if view.records else ""
        return Strip([Segment(words[:width].ljust(width), self.rich_style)])

    def _line(self, cells: Sequence[Cell], styles: dict[str, Style]) -> Strip:
        segments = []
        for names, group in groupby(cells, key=lambda cell: cell[1]):
            if names not in styles:
                styles[names] = self._style(names)
            segments.append(Segment("".join(cell[0] for cell in group), styles[names]))
        return Strip(segments, len(cells))

    def _style(self, names: str) -> Style:
        style = self.rich_style
        for name in names.split():
            style += self.get_component_rich_style(f"scatter--{name}", partial=True)
        return style


def _bars(view: View, axis: Axis) -> tuple[Floats, Floats] | None:
    """Of few points all, of many only what is drawn on top."""
    count = len(view.records)
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    for at in view.order if len(view.order) <= MANY_BARS else view.front:
        found = axis.interval(view.records[at].row)
        if found:
            low[at], high[at] = found
    return None if np.isnan(low).all() else (low, high)
