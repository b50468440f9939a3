"""What was said of a job, line by line; it stays at its end unless somebody scrolls back."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.events import Resize
from textual.widgets import RichLog


class JobLog(RichLog):
    def __init__(self) -> None:
        super().__init__(id="job-log", wrap=True, markup=False, max_lines=2000, min_width=0)
        self.border_title = "log"
        self._job: object = None
        self._lines_of_job: Sequence[str] = ()
        self._written = 0
        self._is_followed = True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._is_followed = new_value >= self.max_scroll_y

    def show(self, job: object, lines: Sequence[str], logged: int) -> None:
        """`logged` counts all lines that there ever were, `lines` are the last of them."""
        if job is not self._job:
            self._job, self._written, self._is_followed = job, 0, True
            self.clear()
        self._lines_of_job = lines
        new = min(logged - self._written, len(lines))
        self._written = logged
        self._write_down(list(lines)[len(lines) - new :])

    def on_resize(self, event: Resize) -> None:
        """Lines are broken anew."""
        self.clear()
        self._write_down(self._lines_of_job)

    def _write_down(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(Text(line, overflow="fold"), scroll_end=False)
        if lines and self._is_followed:
            self.scroll_end(animate=False)
