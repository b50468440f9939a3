"""Which layers can bear cutting: a heat map of each sensitivity that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from prune.damage import Sensitivity
from tui.heat_map import heat_map
from tui.source.messages import ReadFailed, SensitivitiesRead
from tui.source.sensitivity_files import HOW, PATTERN
from tui.widgets.board import Board
from tui.widgets.head import Head
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from tui.app import SecateurApp

NONE = (
    f"No sensitivity is here. `{HOW}` measures one; {PATTERN} beside the results is found, "
    "`secateur tui --sensitivity FILE` names another."
)


class SensitivityScreen(Screen[None]):
    TITLE = "Sensitivity"
    HELP = (
        "Each line is a part of the model, each column a sparsity. Fuller is worse, on a "
        "logarithmic scale; `n` shows the next file."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "following", "Next"),
        Binding("escape", "app.go('explore')", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__(id="sensitivity")
        self._found: Sequence[Sensitivity] = ()
        self._faults: Sequence[str] = ()
        self._at = 0
        self._message = "Reading …"

    def compose(self) -> ComposeResult:
        yield Head("Sensitivity")
        yield Board(id="sensitivity-board")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(Board).focus()
        self._update()

    def on_screen_resume(self) -> None:
        cast("SecateurApp", self.app).feed.ask_sensitivities(self)

    def on_sensitivities_read(self, message: SensitivitiesRead) -> None:
        self._found, self._faults = message.read.found, message.read.faults
        self._message = "" if self._faults else NONE
        self._update()

    def on_read_failed(self, message: ReadFailed) -> None:
        self._found, self._faults, self._message = (), (message.sentence,), ""
        self._update()

    def action_following(self) -> None:
        if self._found:
            self._at = (self._at + 1) % len(self._found)
            self._update()

    def _update(self) -> None:
        self.query_one(Board).show(self._content)

    def _content(self, width: int) -> RenderableType:
        faults = [Text(f"✗ {fault}\n", "bold") for fault in self._faults]
        if not self._found:
            return Group(*faults, Text(self._message))
        return Group(*faults, heat_map(self._found[min(self._at, len(self._found) - 1)], width))
