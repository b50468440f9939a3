"""One of some, and a line to type into: enter takes both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


@dataclass(frozen=True)
class Choice:
    id: str
    words: str


class PickScreen(ModalScreen[tuple[str | None, str] | None]):
    """Ends with the id of what is highlighted and the text, or with None; `none` is a sentence."""

    CSS_PATH = "pick.tcss"
    TITLE = "Pick"
    HELP = "The arrows choose, tab leads to the line below, and enter takes both."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, title: str, choices: Sequence[Choice], none: str, hint: str) -> None:
        super().__init__()
        self._title, self._choices, self._none, self._hint = title, choices, none, hint

    def compose(self) -> ComposeResult:
        with Vertical(id="pick") as box:
            box.border_title = f"{self._title} (enter takes it, escape goes back)"
            options = [Option(_one_line(choice.words), id=choice.id) for choice in self._choices]
            yield OptionList(*options, compact=True)
            if not options:
                yield Static(self._none, markup=False)
            yield Input(compact=True, placeholder=self._hint)

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.display = bool(self._choices)
        if self._choices:
            options.highlighted = 0
            options.focus()
        else:
            self.query_one(Input).focus()

    def on_option_list_option_selected(self) -> None:
        self._take()

    def on_input_submitted(self) -> None:
        self._take()

    def _take(self) -> None:
        at = self.query_one(OptionList).highlighted
        picked = None if at is None else self._choices[at].id
        self.dismiss((picked, self.query_one(Input).value.strip()))


def _one_line(words: str) -> Text:
    return Text(words, no_wrap=True, overflow="ellipsis")
