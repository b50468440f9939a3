"""The first line of each screen: which screens there are, which one this is, and what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.widgets import Static

if TYPE_CHECKING:
    from tui.app import SecateurApp

#: By the key that leads there.
SCREENS = {"1": "Explore", "2": "Compare", "3": "Sensitivity", "4": "History", "5": "Run"}


class Head(Static):
    def __init__(self, screen: str) -> None:
        super().__init__(classes="head")
        self._screen = screen
        self._details = ""
        self._jobs = ""

    def on_mount(self) -> None:
        app = cast("SecateurApp", self.app)
        app.jobs_changed.subscribe(self, self._tell_jobs)
        self._jobs = app.desk.line

    def show(self, details: str) -> None:
        self._details = details
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _tell_jobs(self, line: str) -> None:
        """Wherever one is, it is to be seen that something is measured."""
        self._jobs = line
        self._update()

    def _update(self) -> None:
        text = Text(no_wrap=True, overflow="ellipsis")
        for key, name in SCREENS.items():
            if name == self._screen:
                text.append(f" {key} {name} ", "bold reverse")
            else:
                text.append(f" {key} {name} " if self.size.width >= 100 else f" {key} ")
        if self._jobs:
            text.append("  ").append(f" {self._jobs} ", "bold reverse")
        self.update(text.append(f"  {self._details}"))
