"""A letter over each thing that can be gone to: whoever presses it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Protocol, runtime_checkable

from rich.text import Text
from textual.app import ComposeResult
from textual.errors import NoWidget
from textual.events import Key, MouseDown
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.widgets.places import Places

#: Those under the fingers first.
_NEAR = "asdfghjkl"
LETTERS = _NEAR + "".join(one for one in ascii_lowercase if one not in _NEAR) + ascii_uppercase


@runtime_checkable
class Reveals(Protocol):
    """A screen that shows what is hidden for as long as somebody chooses."""

    def before_jump(self) -> bool:
        """Whether there is something to be laid out first."""
        ...

    def jump_to(self, widget: Widget | None) -> None:
        """None: stay."""
        ...


#: Where a letter stands, and what it does.
Spot = tuple[Offset, Callable[[], object]]


def jump(screen: Screen[Any]) -> None:
    """At once, or after that is laid out which is hidden in a narrow terminal."""
    if isinstance(screen, Reveals) and screen.before_jump():
        screen.call_after_refresh(_push, screen)
    else:
        _push(screen)


def _push(screen: Screen[Any]) -> None:
    if screen.is_current:
        screen.app.push_screen(JumpScreen(screen))


class JumpScreen(ModalScreen[None]):
    CSS_PATH = "jump.tcss"
    TITLE = "Jump"
    HELP = "A letter leads to where it stands."

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about
        self._spots = dict(zip(LETTERS, _spots(about), strict=False))

    def compose(self) -> ComposeResult:
        for letter, (at, _) in self._spots.items():
            label = Static(Text(f"[{letter}]"), classes="spot")
            label.absolute_offset = at
            yield label

    def on_key(self, event: Key) -> None:
        """Any other key stays, and does nothing else."""
        event.stop()
        event.prevent_default()
        _, go = self._spots.get(event.character or "", (None, self._stay))
        self._leave(go)

    def on_mouse_down(self, event: MouseDown) -> None:
        self._leave(self._stay)

    def _stay(self) -> None:
        _go_to(self._about, None)

    def _leave(self, go: Callable[[], object]) -> None:
        """Two keys at once are one."""
        if self.is_current:
            self.dismiss()
            go()


def _spots(screen: Screen[Any]) -> list[Spot]:
    """Panels first, then the devices in their list, then fields: the nearest letters for them."""
    widgets = list(screen.focus_chain)
    fields = [widget for widget in widgets if isinstance(widget, Input)]
    found = [*_over(screen, [widget for widget in widgets if widget not in fields])]
    for places in (widget for widget in widgets if isinstance(widget, Places)):
        found += places.spots()
    return [*found, *_over(screen, fields)]


def _over(screen: Screen[Any], widgets: Sequence[Widget]) -> Iterator[Spot]:
    for widget in widgets:
        if at := _first_seen(screen, widget):
            if isinstance(widget, Input):  # whose beginning is what is written in it
                at = Offset(widget.region.right - 3, at.y)
            yield at, partial(_go_to, screen, widget)


def _first_seen(screen: Screen[Any], widget: Widget) -> Offset | None:
    """Of its first line, for something may lie over the rest."""
    region = widget.region.intersection(screen.region)
    for x in range(region.x, region.right):
        try:
            there, _ = screen.get_widget_at(x, region.y)
        except NoWidget:
            continue
        if widget in there.ancestors_with_self:
            return Offset(x, region.y)
    return None


def _go_to(screen: Screen[Any], widget: Widget | None) -> None:
    if isinstance(screen, Reveals):
        screen.jump_to(widget)
    elif widget:
        screen.set_focus(widget)
