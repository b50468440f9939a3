"""The devices that were measured on, and below them those that there are only guesses for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.text import Text
from textual.geometry import Offset
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.source.records import Place


class Places(OptionList):
    @dataclass
    class Chosen(Message):
        place: Place

    def __init__(self) -> None:
        super().__init__(id="places", compact=True)
        self.border_title = "devices"
        self._places: dict[str, Place] = {}

    def show(self, places: Sequence[Place], chosen: Place | None) -> None:
        self._places = {place.id: place for place in places}
        self.clear_options()
        measured = [place for place in places if place.kind == "measured"]
        guessed = [place for place in places if place.kind == "estimated"]
        if measured:
            self.add_options([_heading("● measured"), *map(_option, measured)])
        if guessed:
            self.add_options([_heading("○ ESTIMATED"), *map(_option, guessed)])
        if chosen and chosen.id in self._places:
            self.highlighted = self.get_option_index(chosen.id)

    def count(self, place: Place, variants: int) -> None:
        """What was found of a place when it was read, which is what the head counts as well."""
        if place.id in self._places and place.count is not None:
            counted = replace(place, count=variants)
            self._places[place.id] = counted
            self.replace_option_prompt(place.id, _option(counted).prompt)

    def spots(self) -> list[tuple[Offset, Callable[[], object]]]:
        """Of the devices in sight: where each stands on the screen, and how it is chosen."""
        inside, top = self.content_region, int(self.scroll_offset.y)
        lines = enumerate(self.options[top : top + inside.height])
        return [
            (Offset(inside.right - 3, inside.y + line), partial(self._choose, option.id))
            for line, option in lines
            if option.id in self._places
        ]

    def _choose(self, place: str) -> None:
        self.highlighted = self.get_option_index(place)
        self.post_message(self.Chosen(self._places[place]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id in self._places:
            self.post_message(self.Chosen(self._places[event.option.id]))


def _heading(words: str) -> Option:
    return Option(Text(words, "bold"), disabled=True)


def _option(place: Place) -> Option:
    count = "" if place.count is None else f" {place.count:,}"
    about = f"  {place.about}" if place.about else ""
    text = Text.assemble(f" {place.name}", (count, "dim"), (about, "dim"))
    text.no_wrap, text.overflow = True, "ellipsis"
    return Option(text, id=place.id)
