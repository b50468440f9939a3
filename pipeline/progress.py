"""Progress bars on stderr: for people only, silent in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: As `prune.forcing.Report`, which cannot be named here: it would bring torch along.
Report = Callable[[str, int, int], None]


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives a callback that takes the count done so far."""
    with bars() as report:
        yield lambda done: report(label, done, total)


@contextmanager
def bars(before: str = "") -> Iterator[Report]:
    """Gives a callback for work of several parts: a bar for each, one after another.

    `before` goes in front of every label.
    """
    shown = _Bars(before)
    try:
        yield shown.report
    finally:
        shown.close()


class _Bars:
    """A new label, or a count that falls back, begins a new bar; a full one vanishes."""

    def __init__(self, before: str):
        self._before = before
        self._label = ""
        self._bar: Any = None

    def report(self, label: str, done: int, total: int) -> None:
        if self._bar is None or label != self._label or done < self._bar.n:
            self.close()
            self._begin(label, total)
        self._bar.update(done - self._bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, label: str, total: int) -> None:
        from tqdm import tqdm

        self._label = label
        shown = f"{self._before}{label}"
        self._bar = tqdm(desc=shown, total=total, disable=None, leave=False, delay=1)
