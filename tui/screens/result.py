"""All that is known of one result, over the whole screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.widgets.detail import Detail
from tui.words import Told


class ResultScreen(ModalScreen[None]):
    CSS_PATH = "result.tcss"
    TITLE = "Result"
    HELP = "Everything that is known of the selected result; the arrows scroll."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss", "Back")]

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def compose(self) -> ComposeResult:
        yield Detail(id="whole-detail")

    def on_mount(self) -> None:
        detail = self.query_one(Detail)
        detail.border_title = "escape goes back"
        detail.tell(self._told)
        detail.focus()
