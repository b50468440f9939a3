"""How each line looks: a method has its colour and its marker, a mark its dashes.

Colour never says anything alone, and a method looks the same on every picture of a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.plots.lines import Lines, fine_tunes, learns_only
from pipeline.plots.style import EMPTY, FAINT, INK, KINDS

MARKERS = "osD^v<P>XhdpH"
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (9, 3)),
    (0, (3, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 4)), (0, (10, 2, 3, 2)),
)  # fmt: skip

#: So many different lines can be told apart.
MOST_METHODS, MOST_MARKS = len(MARKERS) * 2, len(DASHES)


class Looks:
    """Of all pictures that show some of these methods and marks."""

    def __init__(self, methods: Iterable[str], marks: Iterable[str]):
        self._methods = {name: at for at, name in enumerate(dict.fromkeys(methods))}
        self._marks = {name: at for at, name in enumerate(dict.fromkeys(marks))}

    @classmethod
    def of(cls, *pictures: Lines) -> Looks:
        methods = sorted({m: None for shown in pictures for m in shown.methods}, key=fine_tunes)
        return cls(methods, (mark for shown in pictures for mark in shown.marks))

    def method(self, name: str) -> dict[str, Any]:
        """Hollow where the method fine-tunes."""
        at = self._methods.get(name, 0)
        colour = KINDS[at % len(KINDS)]
        return {
            "color": colour,
            "marker": MARKERS[at % len(MARKERS)],
            "markerfacecolor": "white" if fine_tunes(name) else colour,
            "markeredgewidth": 1.8,
            "markersize": 8,
        }

    def mark(self, name: str) -> dict[str, Any]:
        return {"linestyle": DASHES[self._marks.get(name, 0) % len(DASHES)], "linewidth": 1.9}

    def dashes(self, name: str) -> dict[str, Any]:
        return {"linestyle": self.mark(name)["linestyle"]}

    def line(self, method: str, mark: str) -> dict[str, Any]:
        return {**self.method(method), **self.mark(mark)}

    def alone(self, method: str, mark: str) -> dict[str, Any]:
        """A marker that no line joins to others: those of other marks than the first have a rim."""
        look = {**self.method(method), "linestyle": ""}
        return look if self._marks.get(mark, 0) == 0 else look | self.rim(look)

    @staticmethod
    def rim(look: dict[str, Any] | None = None) -> dict[str, Any]:
        """Dark; of a marker of any shape unless it is said."""
        shape = look or {"marker": "o", "color": EMPTY, "markersize": 8, "linestyle": ""}
        return {**shape, "markeredgecolor": INK, "markeredgewidth": 1.3}

    @staticmethod
    def star(method: str) -> dict[str, Any]:
        """Of a control, where it is a point; hollow where it was fine-tuned."""
        return {
            "color": INK,
            "marker": "*",
            "markersize": 13,
            "markerfacecolor": "white" if learns_only(method) else INK,
            "linestyle": "",
            "zorder": 3,
        }

    @staticmethod
    def control(method: str) -> dict[str, Any]:
        """A level line: long dashes for the dense model, thick dots for the one that learnt."""
        if learns_only(method):
            return {"color": FAINT, "linestyle": (0, (1, 1.3)), "linewidth": 2.6}
        return {"color": INK, "linestyle": (0, (12, 4)), "linewidth": 1.5}
