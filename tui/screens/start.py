"""What is measured when enter is pressed, on which devices and how; all of it has a default."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, SelectionList, Static
from textual.widgets.selection_list import Selection

from runtime.settings import MOST_THREADS
from speech.readable import expanded
from tui.source.jobs import Order
from tui.source.records import Record

Value = TypeVar("Value")

#: Key, what it is called, what stands in it, and what an empty one means.
_FIELDS = (
    ("threads", "threads", "1", "such as 1,2: each of them"),
    ("samples", "samples", "", "of each case; empty: until the median is known to 2 %"),
    ("budget", "budget, s", "60", "seconds that a case may take"),
    ("folder", "bundle", "", "a folder or .secateur file, instead of the above"),
)


class StartScreen(ModalScreen[list[Order] | None]):
    """Ends with an order for each device, or None. Nothing is measured without its enter."""

    CSS_PATH = "start.tcss"
    TITLE = "Benchmark"
    HELP = "Enter starts, the space bar chooses devices, tab leads on to the settings."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", priority=True),
        Binding("escape", "dismiss", "Back"),
    ]

    def __init__(self, records: Sequence[Record], devices: Sequence[str], device: str) -> None:
        super().__init__()
        self._records = tuple(records)
        self._devices, self._device = devices, device

    def compose(self) -> ComposeResult:
        with Vertical(id="start") as box:
            box.border_title = "benchmark (enter starts, escape goes back)"
            yield Static(self._what(), id="start-what")
            yield Label("on (space chooses)")
            yield SelectionList(
                *(Selection(Text(name), name, name == self._device) for name in self._devices),
                compact=True,
            )
            for key, name, value, hint in _FIELDS:
                with Horizontal(classes="field"):
                    yield Label(name)
                    yield Input(value, id=f"start-{key}", compact=True, placeholder=hint)
            yield Static(id="start-problem", markup=False)

    def on_mount(self) -> None:
        devices = self.query_one(SelectionList)
        devices.highlighted = self._devices.index(self._device)
        (devices if self._records else self.query_one("#start-folder")).focus()

    def action_start(self) -> None:
        try:
            self.dismiss(self._orders())
        except ValueError as problem:
            self.query_one("#start-problem", Static).update(f"✗ {problem}")

    def _what(self) -> Text:
        names = ", ".join(record.row.name for record in self._records)
        if not names:
            return Text("No variant is selected: name a bundle below.")
        return Text.assemble("measures ", (names, "bold"))

    def _orders(self) -> list[Order]:
        """Raises ValueError with a sentence."""
        devices = [str(name) for name in self.query_one(SelectionList).selected]
        named = self._typed("folder")
        folder = expanded(named) if named else None
        if not devices:
            raise ValueError("No device is chosen: press the space bar on one.")
        if folder is None and not self._records:
            raise ValueError("There is nothing to measure: name a bundle.")
        threads = tuple(dict.fromkeys(map(_threads, self._typed("threads").split(","))))
        samples = self._number("samples", _count, "a whole number, 1 or more")
        budget = self._number("budget", _seconds, "a number of seconds above 0")
        records = () if folder else self._records
        return [
            Order(name, records, folder, threads, samples, budget)
            for name in self._devices
            if name in devices
        ]

    def _number(self, key: str, parsed: Callable[[str], Value], rule: str) -> Value | None:
        typed = self._typed(key)
        try:
            return parsed(typed) if typed else None
        except ValueError as problem:
            raise ValueError(f"The {key} is {typed!r}: write {rule}, or nothing.") from problem

    def _typed(self, key: str) -> str:
        return self.query_one(f"#start-{key}", Input).value.strip()


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    value = float(text.replace(",", "."))
    if not (math.isfinite(value) and value > 0):
        raise ValueError
    return value


def _threads(text: str) -> int:
    try:
        count = _count(text)
    except ValueError:
        count = MOST_THREADS + 1
    if count > MOST_THREADS:
        raise ValueError(
            f"Threads are {text.strip()!r}: write whole numbers from 1 to {MOST_THREADS}, "
            "such as 1,2."
        )
    return count
