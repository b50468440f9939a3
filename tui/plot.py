"""The scatter plot: one mark per variant, a line through those that nothing else beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual_plot import HiResMode, PlotWidget

from bench.rows import Row
from tui.tradeoffs import Axis, located, padded, round_ticks, worth_keeping

LEGEND = "● unbeaten  • beaten  ◆ selected"


class TradeoffPlot(PlotWidget, can_focus=False):
    """Call `show` with what to draw; the axes are named in the border."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tradeoff--unbeaten",
        "tradeoff--beaten",
        "tradeoff--selected",
    }

    def __init__(self) -> None:
        super().__init__(id="tradeoff", allow_pan_and_zoom=False)
        self.border_subtitle = LEGEND

    def on_mount(self) -> None:
        """Narrow margins: the axes are named in the border, not beside them."""
        self.margin_top = 0
        self.margin_bottom = 1
        self.margin_left = 7

    def show(self, rows: Sequence[Row], selected: int | None, x: Axis, y: Axis) -> None:
        """Draws the rows that have both numbers; the others are only in the table."""
        points = located(rows, x, y)
        self.clear()
        if not points:
            self.border_title = f"nothing has both {y.label} and {x.label}"
            return
        self.border_title = f"{y.label} over {x.label}"
        self.set_xlimits(*padded([point[0] for point in points.values()]))
        low, high = padded([point[1] for point in points.values()])
        self.set_ylimits(low, high)
        # Left to itself the plot crowds a small canvas until labels overwrite each other.
        self.set_yticks(round_ticks(low, high, at_most=max(2, self.size.height // 3)))
        front = worth_keeping(points, x, y)
        steps = [points[at] for at in front]
        beaten = [points[at] for at in points if at not in front]
        self.plot(*_columns(steps), self._style("unbeaten"), HiResMode.BRAILLE)
        self.scatter(*_columns(beaten), "•", self._style("beaten"))
        self.scatter(*_columns(steps), "●", self._style("unbeaten"))
        if selected in points:
            self.scatter(*_columns([points[selected]]), "◆", self._style("selected"))

    def _style(self, part: str) -> str:
        return str(self.get_component_rich_style(f"tradeoff--{part}"))


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [point[0] for point in points], [point[1] for point in points]
