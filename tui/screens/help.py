"""`?`: what the screen under it is for, its keys, and what the marks mean."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from tui.glyphs import FAILS, GLYPHS, TRUSTS, UNBEATEN
from tui.widgets.board import Board


class HelpScreen(ModalScreen[None]):
    CSS_PATH = "help.tcss"
    TITLE = "Help"
    HELP = "This is it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Back")
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._title = str(about.title or about.TITLE or "")
        self._words = str(about.HELP or "")
        self._keys = _keys(about)

    def compose(self) -> ComposeResult:
        yield Board(id="help-board")

    def on_mount(self) -> None:
        board = self.query_one(Board)
        board.border_title = f"{self._title}: help (escape goes back)"
        board.show(lambda width: Group(Text(self._words), Text(), self._table(width), _marks()))
        board.focus()

    def _table(self, width: int) -> Table:
        count = 2 if width >= 72 else 1
        table = Table.grid(padding=(0, 2))
        half = -(-len(self._keys) // count)
        for at in range(half):
            cells: list[Text] = []
            for key, words in self._keys[at::half]:
                cells += [Text(key, "bold"), Text(words)]
            table.add_row(*cells)
        return table


def _keys(about: Screen[Any]) -> list[tuple[str, str]]:
    """Of the screen and the app, in the order in which they are declared."""
    found: dict[str, str] = {}
    app = about.app
    for binding in about.active_bindings.values():
        if binding.node in (about, app) and binding.binding.description:
            key = app.get_key_display(binding.binding)
            words = binding.binding.description
            found[words] = f"{found[words]} {key}" if words in found else key
    return [(key, words) for words, key in found.items()]


def _marks() -> Group:
    lines = [Text(), Text("marks", "bold underline")]
    for structure, glyphs in GLYPHS.items():
        told = "   ".join(f"{glyph} {trust}" for glyph, trust in zip(glyphs, TRUSTS, strict=True))
        lines.append(Text(f"{structure:<18}{told}"))
    lines.append(Text(f"{UNBEATEN} nothing beats it on both axes   {FAILS} over a budget"))
    return Group(*lines)
