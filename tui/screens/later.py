"""The screens but the first, each read when it is gone to: so the first one comes sooner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.screen import Screen


def _compare() -> Screen[Any]:
    from tui.screens.compare import CompareScreen

    return CompareScreen()


def _sensitivity() -> Screen[Any]:
    from tui.screens.sensitivity import SensitivityScreen

    return SensitivityScreen()


def _history() -> Screen[Any]:
    from tui.screens.history import HistoryScreen

    return HistoryScreen()


def _run() -> Screen[Any]:
    from tui.screens.run import RunScreen

    return RunScreen()


#: By their names in the app.
LATER: Mapping[str, Callable[[], Screen[Any]]] = {
    "compare": _compare,
    "sensitivity": _sensitivity,
    "history": _history,
    "run": _run,
}
