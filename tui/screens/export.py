"""What to write and where: a list of kinds, and a path to edit."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from speech.errors import BadInput
from speech.readable import expanded
from tui.exporting import KINDS, OF_BUNDLE, Outgoing

#: What files of the view are called.
STEM = "secateur"
#: Characters of a bundle's name that are suggested for its file.
_LONGEST_STEM = 80


class ExportScreen(ModalScreen[str | None]):
    """Ends with a sentence on what was written, or None."""

    CSS_PATH = "export.tcss"
    TITLE = "Export"
    HELP = "Choose what to write, edit the path, and press enter."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__()
        self._outgoing = outgoing
        self._kind = KINDS[0]

    def compose(self) -> ComposeResult:
        with Vertical(id="export") as box:
            box.border_title = "export (escape goes back)"
            yield OptionList(*(Option(kind.name, id=kind.key) for kind in KINDS), compact=True)
            yield Input(compact=True)
            yield Static(id="export-problem", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()
        self._suggest()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._kind = next(kind for kind in KINDS if kind.key == event.option.id)
        self._suggest()

    def on_option_list_option_selected(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self._complain("Write the path of a file that is not there yet.")
            return
        place = expanded(event.value)
        try:
            self._outgoing.write(self._kind, place)
        except BadInput as problem:
            self._complain(str(problem))
        else:
            self.dismiss(f"{self._kind.name} is in {place}.")

    def _suggest(self) -> None:
        name = (self._outgoing.bundle_name if self._kind.key in OF_BUNDLE else None) or STEM
        stem = Path(name).name[:_LONGEST_STEM] or STEM
        name = f"{stem}{self._kind.suffix}"
        count = 2
        while Path(name).exists():
            name = f"{stem}-{count}{self._kind.suffix}"
            count += 1
        self.query_one(Input).value = name
        self._complain("")

    def _complain(self, sentence: str) -> None:
        self.query_one("#export-problem", Static).update(f"✗ {sentence}" if sentence else "")
