"""A screen out of which rows, pictures and bundles can be taken."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from textual.screen import Screen

from speech.counted import counted
from speech.errors import BadInput

if TYPE_CHECKING:
    from tui.exporting import Outgoing


class OutgoingScreen(Screen[None]):
    """Its keys are to be bound to `copy` and `export`."""

    @abstractmethod
    def outgoing(self, svg: str = "") -> Outgoing:
        """What there is at this moment, with a picture of it if that was drawn."""

    @abstractmethod
    def say(self, sentence: str, *, is_bad: bool = False) -> None: ...

    def action_copy(self, kind: str) -> None:
        """The marked rows, else those that are shown."""
        from tui.exporting import copied

        found = self.outgoing()
        rows = found.marked or found.rows
        try:
            self.app.copy_to_clipboard(copied(rows, kind))
        except BadInput as problem:
            self.say(str(problem), is_bad=True)
        else:
            self.say(
                f"{counted(len(rows), 'row')} copied as {'CSV' if kind == 'csv' else 'Markdown'}."
            )

    def action_export(self) -> None:
        from tui.screens.export import ExportScreen

        def told(sentence: str | None) -> None:
            if sentence:
                self.say(sentence)

        self.app.push_screen(ExportScreen(self.outgoing(self.app.export_screenshot())), told)
