"""The budgets of the place that is shown, each a number to edit; an empty one is no limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label

from tui.tradeoffs.budgets import KIND_OF, KINDS, Limits


class BudgetPanel(Vertical):
    @dataclass
    class Changed(Message):
        limits: Limits

    @dataclass
    class Refused(Message):
        """One sentence on what was typed."""

        sentence: str

    def __init__(self) -> None:
        super().__init__(id="budgets")
        self.border_title = "budgets, at most"
        self._limits = Limits()

    def compose(self) -> ComposeResult:
        for kind in KINDS:
            with Horizontal(classes="budget"):
                yield Label(kind.name)
                yield Input(id=f"limit-{kind.key}", compact=True, placeholder="–")
                yield Label(kind.unit, classes="unit")

    def show(self, limits: Limits) -> None:
        """Typing is not disturbed: only fields that say something else are written."""
        self._limits = limits
        for kind in KINDS:
            field = self.query_one(f"#limit-{kind.key}", Input)
            limit = limits.at_most.get(kind.key)
            if _number(field.value) != limit:
                with field.prevent(Input.Changed):
                    field.value = "" if limit is None else f"{limit:g}"
                field.remove_class("-refused")

    @property
    def first(self) -> Input:
        return self.query(Input).first()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        key = str(event.input.id).removeprefix("limit-")
        text = event.value.strip()
        value = _number(text)
        refused = bool(text) and value is None
        event.input.set_class(refused, "-refused")
        if refused:
            return
        self._limits = self._limits.with_limit(key, value)
        self.post_message(self.Changed(self._limits))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.has_class("-refused"):
            kind = KIND_OF[str(event.input.id).removeprefix("limit-")]
            unit = f" of {kind.unit}" if kind.unit else ""
            self.post_message(
                self.Refused(
                    f"The budget of {kind.name} is {event.value!r}: write a number{unit}, "
                    "0 or more, or nothing."
                )
            )
            return
        self.screen.focus_next(Input)


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
