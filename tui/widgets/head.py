"""The first line of each screen: which screens there are, which one this is, and what it shows."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

#: By the key that leads there.
SCREENS = {"1": "Explore", "2": "Compare", "3": "Sensitivity", "4": "History"}


class Head(Static):
    def __init__(self, screen: str) -> None:
        super().__init__(classes="head")
        self._screen = screen
        self._details = ""

    def show(self, details: str) -> None:
        self._details = details
        self._update()

    def on_resize(self) -> None:
        self._update()

    def _update(self) -> None:
        text = Text(no_wrap=True, overflow="ellipsis")
        for key, name in SCREENS.items():
            if name == self._screen:
                text.append(f" {key} {name} ", "bold reverse")
            else:
                text.append(f" {key} {name} " if self.size.width >= 100 else f" {key} ")
        self.update(text.append(f"  {self._details}"))
