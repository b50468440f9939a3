"""A screen whose rows are sorted and whose plot has axes; both are remembered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from tui.columns import COLUMN_OF, NAME
from tui.tradeoffs.axes import X_AXES, Y_AXES, Axis, following
from tui.view import View
from tui.widgets.scatter import Scatter
from tui.widgets.table import VariantTable

if TYPE_CHECKING:
    from tui.app import SecateurApp


class ArrangingScreen(Screen[None]):
    """Its keys are to be bound to `sort`, `turn`, `across` and `up`."""

    view: View

    @property
    def secateur(self) -> SecateurApp:
        return cast("SecateurApp", self.app)

    @abstractmethod
    def change(self, work: Callable[[], None]) -> None:
        """The cursor stays on its record, if that is still shown."""

    def arrange_as_before(self) -> None:
        kept = self.secateur.remembered
        self.view.show_axes(
            next((axis for axis in X_AXES if axis.key == kept.x_axis), X_AXES[0]),
            next((axis for axis in Y_AXES if axis.key == kept.y_axis), Y_AXES[0]),
        )
        if kept.sort in COLUMN_OF:
            self.view.sort_by(kept.sort, descending=kept.descending)

    def on_variant_table_head_clicked(self, message: VariantTable.HeadClicked) -> None:
        key = message.column.key
        turn = key == self.view.sort and not self.view.descending
        self._sort(key, descending=turn)

    def action_sort(self) -> None:
        keys = [None, *(column.key for column in self.view.columns)]
        self._sort(following(keys, self.view.sort), descending=False)

    def action_turn(self) -> None:
        self._sort(self.view.sort or NAME.key, descending=not self.view.descending)

    def action_across(self) -> None:
        self._turn_axes(following(X_AXES, self.view.x_axis), self.view.y_axis)

    def action_up(self) -> None:
        self._turn_axes(self.view.x_axis, following(Y_AXES, self.view.y_axis))

    def _sort(self, key: str | None, *, descending: bool) -> None:
        self.change(lambda: self.view.sort_by(key, descending=descending))
        kept = self.secateur.remembered
        kept.sort, kept.descending = key, descending

    def _turn_axes(self, x: Axis, y: Axis) -> None:
        self.change(lambda: self.view.show_axes(x, y))
        kept = self.secateur.remembered
        kept.x_axis, kept.y_axis = self.view.x_axis.key, self.view.y_axis.key
        self.query_one(Scatter).show_all()
