"""The last line of each screen: its keys, to press or to click.

Textual's own footer is made anew whenever the focus moves, which takes longer than all else that a
key does here.
"""

from __future__ import annotations

from textual.binding import Binding
from textual.content import Content
from textual.style import Style
from textual.widgets import Static


class KeyLine(Static):
    """Those bindings of screen and app that are to be shown, in the order of their declaration."""

    def on_mount(self) -> None:
        words = [
            self._word(owner, binding)
            for owner, node in (("screen", self.screen), ("app", self.app))
            for binding in Binding.make_bindings(node.BINDINGS)
            if binding.show
        ]
        self.update(Content("  ").join([Content(""), *words]))

    def _word(self, owner: str, binding: Binding) -> Content:
        has_owner = "." in binding.action.partition("(")[0]
        action = binding.action if has_owner else f"{owner}.{binding.action}"
        key = self.app.get_key_display(binding)
        click = Style.from_meta({"@click": action})
        return Content.assemble((key, "bold $accent"), f" {binding.description}").stylize(click)
