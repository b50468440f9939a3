"""rich's console for our tables: only rich itself sends control sequences to the terminal."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from runtime.terminal import raw
from speech.printable import printable_lines


class SafeConsole(Console):
    """Texts are taken as they are: none is markup, and none reaches the terminal uncleaned."""

    def __init__(self, **settings: Any):
        super().__init__(
            file=raw(sys.stdout), markup=False, emoji=False, highlight=False, **settings
        )

    def render(self, *what: Any, **how: Any) -> Iterable[Segment]:
        for segment in super().render(*what, **how):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)
