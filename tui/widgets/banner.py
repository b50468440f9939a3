"""A sentence above the detail, until somebody has had enough of it."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Banner(Static):
    def __init__(self) -> None:
        super().__init__(id="banner")

    def say(self, sentence: str, *, is_bad: bool = False) -> None:
        self.update(Text(("✗ " if is_bad else "→ ") + sentence))
        self.set_class(is_bad, "-bad").add_class("-open")

    def close(self) -> None:
        self.remove_class("-open")
