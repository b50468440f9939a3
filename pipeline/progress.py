"""What a command is doing, on stderr: a bar in a terminal, else a line every few seconds.

A thread keeps it moving, so that a step that reports nothing, such as opening a model, is seen to
take its time as well. `SECATEUR_PROGRESS=off` silences both.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import click

#: As `prune.forcing.Report`, which cannot be named here: it would bring torch along. A label may
#: end with a remark in brackets, which changes as the work goes on.
Report = Callable[[str, int, int], None]

#: Seconds until there is something to see, and between two lines; in long work lines come rarer.
_SOON, _BETWEEN, _MOST_BETWEEN = 1.5, 5.0, 60.0
_SHARE = 0.08
_TICK = 0.25
_PLAIN = "{desc} [{elapsed}]"


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives a callback that takes the count done so far."""
    with bars() as report:
        yield lambda done: report(label, done, total)


@contextmanager
def bars(before: str = "") -> Iterator[Report]:
    """Gives a callback for work of several steps: label, count done and count in all.

    A step of one part, 0 of 1, has no count to show, only its time. `before` goes in front of
    every label.
    """
    with meter(before) as shown:
        yield shown.report


@contextmanager
def meter(before: str = "") -> Iterator[Meter]:
    """As `bars`, for who has details to show beside the count."""
    shown = Meter(before)
    try:
        yield shown
    finally:
        shown.close()


@dataclass
class Step:
    label: str
    started: float
    first: int = 0  # the count that it began with
    done: int = 0
    total: int = 1
    detail: str = ""

    def words(self, now: float) -> str:
        """Such as `transcribing 3 of 12, about 40 s left`."""
        left = self.left(now)
        count = f"{self.label} {self.done} of {self.total}"
        return count if left is None else f"{count}, about {duration(left)} left"

    def left(self, now: float) -> float | None:
        """Seconds, at the pace so far; None while there is none."""
        past = self.done - self.first
        return (now - self.started) / past * (self.total - self.done) if past > 0 else None


class Meter:
    """A new label, or a count that falls back, begins a new step; a full one is over."""

    def __init__(self, before: str = ""):
        self._before = before
        self._lock = threading.Lock()
        self._began = monotonic()
        self._spoke = self._began + _SOON - _BETWEEN
        self._step = Step("", self._began)
        self._bar: Any = None
        self._over = threading.Event()
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        if os.environ.get("SECATEUR_PROGRESS") != "off":
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def report(self, label: str, done: int, total: int, detail: str = "") -> None:
        now = monotonic()
        label, remark = without_remark(label)
        detail = ", ".join(filter(None, (remark, detail)))
        with self._lock:
            if label != self._step.label or done < self._step.done:
                self._clear()
                self._step = Step(label, now, first=done)
            step = self._step
            step.done, step.total, step.detail = done, total, detail
            if done >= total:
                self._clear()
                self._step = Step("", now)

    def close(self) -> None:
        self._over.set()
        with self._lock:
            self._clear()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            with self._lock, suppress(OSError, ValueError):  # nobody may read stderr any more
                if not self._over.is_set():
                    self._show(monotonic())

    def _show(self, now: float) -> None:
        if self._is_terminal:
            if now - self._began >= _SOON:
                self._draw(now)
            return
        between = min(max(_BETWEEN, _SHARE * (now - self._began)), _MOST_BETWEEN)
        if now - self._spoke >= between:
            self._spoke = now
            click.echo(self._words(now), err=True)

    def _words(self, now: float) -> str:
        step = self._step
        told = f"{self._before}{step.label or 'working'}"
        told += f": {step.done} of {step.total}" if step.total > 1 else ""
        told += f" ({step.detail})" if step.detail else ""
        told += f", {duration(now - step.started)} so far"
        left = step.left(now)
        return told if left is None else f"{told}, about {duration(left)} left"

    def _draw(self, now: float) -> None:
        from tqdm import tqdm

        step = self._step
        counts = step.total > 1
        if self._bar is None:
            self._bar = tqdm(
                desc=f"{self._before}{step.label or 'working'}",
                total=step.total if counts else None,
                initial=step.first,
                bar_format=None if counts else _PLAIN,
                leave=False,
            )
            self._bar.start_t -= now - step.started
        self._bar.total = step.total if counts else None
        self._bar.n = step.done
        self._bar.set_postfix_str(step.detail, refresh=False)
        self._bar.refresh()

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def without_remark(label: str) -> tuple[str, str]:
    """What is under way, and the remark; `epoch (loss 0.3)` is both."""
    name, bracket, remark = label.removesuffix(")").rpartition(" (")
    return (name, remark) if bracket and label.endswith(")") else (label, "")


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `1 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
