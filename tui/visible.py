"""The last thing that a line passes before it is drawn."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from speech.printable import printable


class Visible(LineFilter):
    """What comes from results is made visible where it is read (`tui.source.shown`).

    This is for all else: typed or pasted text, paths, and sentences with either in them.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line stays as long as it was."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        visible = [
            segment._replace(text=printable(segment.text)) if not segment.control else segment
            for segment in segments
        ]
        return Segment.adjust_line_length(visible, Segment.get_line_length(segments))
