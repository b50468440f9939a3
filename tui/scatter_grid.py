"""A scatter plot as characters: pure, so that it can be tested without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tui.tradeoffs.scale import padded, round_ticks, tick_text

Floats = NDArray[np.float64]
Cell = tuple[str, str]  # a character, and the name of its style
#: Columns for the numbers at the left, and the line for those below.
MARGIN, FOOT = 7, 1
#: With more points than these, only the unbeaten and the selected one show how sure they are.
MANY_BARS = 40


@dataclass(frozen=True)
class Window:
    """The part of the plane that is looked at."""

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def around(cls, x: Floats, y: Floats) -> Window | None:
        """All that has both numbers; None for nothing."""
        known = ~(np.isnan(x) | np.isnan(y))
        if not known.any():
            return None
        x, y = x[known], y[known]
        return cls(padded(float(x.min()), float(x.max())), padded(float(y.min()), float(y.max())))

    def zoomed(self, factor: float, at: tuple[float, float] = (0.5, 0.5)) -> Window:
        """Below 1 is nearer; `at` stays where it is, in shares of the width and the height.

        Beyond what numbers can tell apart it goes no further.
        """
        ends = [_about(ends, factor, share) for ends, share in zip(self._ends, at, strict=True)]
        return Window(*ends) if all(map(_can_be_told_apart, ends)) else self

    def moved(self, right: float, up: float) -> Window:
        """By shares of the width and the height."""
        return Window(
            *(
                (low + share * (high - low), high + share * (high - low))
                for (low, high), share in zip(self._ends, (right, up), strict=True)
            )
        )

    @property
    def _ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.x, self.y


def _about(ends: tuple[float, float], factor: float, share: float) -> tuple[float, float]:
    low, high = ends
    still = low + share * (high - low)
    return still - factor * (still - low), still + factor * (high - still)


def _can_be_told_apart(ends: tuple[float, float]) -> bool:
    low, high = ends
    return 1e-9 * max(1.0, abs(low), abs(high)) < high - low < 1e15


@dataclass(frozen=True)
class Scene:
    """What to draw. Arrays are by point; the front's positions rise in x."""

    x: Floats
    y: Floats
    glyphs: Sequence[str]
    styles: Sequence[str]
    front: Sequence[int] = ()
    more_is_better: bool = False  # of x
    selected: int | None = None
    marked: Sequence[int] = ()
    x_bars: tuple[Floats, Floats] | None = None  # low and high ends, NaN where there are none
    y_bars: tuple[Floats, Floats] | None = None
    x_limit: float | None = None
    y_limit: float | None = None


@dataclass
class Grid:
    """Characters of a given size; what is outside is not drawn."""

    width: int
    height: int
    cells: list[list[Cell]] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = [[(" ", "")] * self.width for _ in range(self.height)]

    def put(self, column: int, row: int, character: str, style: str) -> None:
        if 0 <= column < self.width and 0 <= row < self.height:
            self.cells[row][column] = (character, style)

    def write(self, column: int, row: int, text: str, style: str) -> None:
        for place, character in enumerate(text, start=column):
            self.put(place, row, character, style)


class Plane:
    """Where numbers come to lie in a grid: the plot inside the margins."""

    def __init__(self, window: Window, width: int, height: int):
        self.window = window
        self.columns, self.rows = max(1, width - MARGIN), max(1, height - FOOT)

    def column(self, x: float) -> int:
        """May lie outside; so may the row."""
        low, high = self.window.x
        return MARGIN + _cell((x - low) / (high - low), self.columns)

    def row(self, y: float) -> int:
        low, high = self.window.y
        return self.rows - 1 - _cell((y - low) / (high - low), self.rows)

    def share(self, column: int, row: int) -> tuple[float, float]:
        """Of a cell's middle, in shares of the plot from its lower left corner."""
        right = (column - MARGIN + 0.5) / self.columns
        return right, 1 - (row + 0.5) / self.rows

    def cells(self, x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Columns and rows of many points; -1 for what is outside."""
        (left, right), (low, high) = self.window.x, self.window.y
        with np.errstate(invalid="ignore", over="ignore"):
            across, up = (x - left) / (right - left), (y - low) / (high - low)
            inside = (across >= 0) & (across < 1) & (up >= 0) & (up < 1)
            columns = np.where(inside, MARGIN + np.floor(across * self.columns), -1)
            rows = np.where(inside, self.rows - 1 - np.floor(up * self.rows), -1)
        return columns.astype(np.int64), rows.astype(np.int64)


def _cell(share: float, count: int) -> int:
    return int(np.clip(np.floor(share * count), -1, count))


def draw(scene: Scene, window: Window, width: int, height: int) -> Grid:
    grid, plane = Grid(width, height), Plane(window, width, height)
    _draw_frame(grid, plane)
    _draw_limits(grid, plane, scene)
    _draw_stairs(grid, plane, scene)
    _draw_bars(grid, plane, scene)
    _draw_points(grid, plane, scene)
    return grid


def _draw_frame(grid: Grid, plane: Plane) -> None:
    for row in range(plane.rows):
        grid.put(MARGIN - 1, row, "│", "axis")
    ticks = round_ticks(*plane.window.y, at_most=max(2, plane.rows // 3))
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    for tick in ticks:
        text = tick_text(tick, step)
        grid.put(MARGIN - 1, plane.row(tick), "┤", "axis")
        grid.write(MARGIN - 1 - len(text), plane.row(tick), text, "tick")
    ticks = round_ticks(*plane.window.x, at_most=max(2, plane.columns // 10))
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    for tick in ticks:
        text, column = tick_text(tick, step), plane.column(tick)
        start = min(max(MARGIN, column - len(text) // 2), grid.width - len(text))
        grid.write(start, plane.rows, text, "tick")


def _draw_limits(grid: Grid, plane: Plane, scene: Scene) -> None:
    """Dashed lines; what lies beyond them fails."""
    if scene.x_limit is not None and plane.window.x[0] <= scene.x_limit < plane.window.x[1]:
        for row in range(plane.rows):
            grid.put(plane.column(scene.x_limit), row, "╎", "limit")
    if scene.y_limit is not None and plane.window.y[0] <= scene.y_limit < plane.window.y[1]:
        for column in range(MARGIN, grid.width):
            grid.put(column, plane.row(scene.y_limit), "╌", "limit")


def _draw_stairs(grid: Grid, plane: Plane, scene: Scene) -> None:
    """Of the front: what is as good in x as a place between two of its points has the y of the one
    that is worse in x."""
    places = sorted({(plane.column(scene.x[at]), plane.row(scene.y[at])) for at in scene.front})
    for (left, one), (right, other) in pairwise(places):
        level, bend = (other, left) if scene.more_is_better else (one, right)
        for column in range(left + 1, right):
            _put_inside(grid, plane, column, level, "─")
        for row in range(min(one, other) + 1, max(one, other)):
            _put_inside(grid, plane, bend, row, "│")
        if one != other:
            _put_inside(grid, plane, bend, level, "┌" if scene.more_is_better else "┐")


def _put_inside(grid: Grid, plane: Plane, column: int, row: int, character: str) -> None:
    if column >= MARGIN and 0 <= row < plane.rows:
        grid.put(column, row, character, "front")


def _draw_bars(grid: Grid, plane: Plane, scene: Scene) -> None:
    placed = np.flatnonzero(~np.isnan(scene.x))
    chosen = set(placed.tolist() if len(placed) <= MANY_BARS else scene.front)
    if scene.selected is not None:
        chosen.add(scene.selected)
    columns, rows = plane.cells(scene.x, scene.y)
    for at in sorted(chosen):
        if columns[at] < 0:
            continue
        if scene.y_bars is not None and not np.isnan(scene.y_bars[0][at] + scene.y_bars[1][at]):
            ends = [plane.row(float(end[at])) for end in scene.y_bars]
            _upright(grid, plane, int(columns[at]), ends[1], ends[0])
        if scene.x_bars is not None and not np.isnan(scene.x_bars[0][at] + scene.x_bars[1][at]):
            ends = [plane.column(float(end[at])) for end in scene.x_bars]
            for column in range(max(MARGIN, ends[0]), min(grid.width - 1, ends[1]) + 1):
                grid.put(column, int(rows[at]), "╴" if column == ends[1] else "─", "bar")


def _upright(grid: Grid, plane: Plane, column: int, top: int, low: int) -> None:
    for row in range(max(0, top), min(plane.rows - 1, low) + 1):
        ends = {top: "┬", low: "┴"} if top != low else {}
        grid.put(column, row, ends.get(row, "│"), "bar")


def _draw_points(grid: Grid, plane: Plane, scene: Scene) -> None:
    """Each cell once, however many points lie in it; the telling ones come last, so on top."""
    columns, rows = plane.cells(scene.x, scene.y)
    inside = np.flatnonzero(columns >= 0)
    _, last = np.unique((rows[inside] * grid.width + columns[inside])[::-1], return_index=True)
    for at in inside[::-1][last]:
        grid.put(int(columns[at]), int(rows[at]), scene.glyphs[at], scene.styles[at])
    for at in scene.front:
        grid.put(int(columns[at]), int(rows[at]), scene.glyphs[at], f"{scene.styles[at]} unbeaten")
    for at in scene.marked:
        grid.put(int(columns[at]), int(rows[at]), scene.glyphs[at], "marked")
    if scene.selected is not None and columns[scene.selected] >= 0:
        at = scene.selected
        column, row = int(columns[at]), int(rows[at])
        for place, bracket in ((column - 1, "["), (column + 1, "]")):
            if place >= MARGIN:
                grid.put(place, row, bracket, "selected")
        grid.put(column, row, scene.glyphs[at], "selected")


def nearest(
    scene: Scene, window: Window, width: int, height: int, column: int, row: int
) -> int | None:
    """The point that lies nearest to a cell, if within three of it; cells are twice as high."""
    columns, rows = Plane(window, width, height).cells(scene.x, scene.y)
    far = np.where(columns >= 0, np.hypot(columns - column, 2 * (rows - row)), np.inf)
    if not len(far) or far.min() > 3:
        return None
    return int(np.argmin(far))
