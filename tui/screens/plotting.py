"""A screen with a plot that can be looked at from nearer and from elsewhere."""

from __future__ import annotations

from textual.screen import Screen

from tui.widgets.scatter import Scatter


class PlottingScreen(Screen[None]):
    """Its keys are to be bound to `zoom`, `whole` and `pan`."""

    def action_zoom(self, nearer: int) -> None:
        scatter = self.query_one(Scatter)
        scatter.zoom_in() if nearer > 0 else scatter.zoom_out()

    def action_whole(self) -> None:
        self.query_one(Scatter).show_all()

    def action_pan(self, right: int, up: int) -> None:
        self.query_one(Scatter).step(right, up)
