"""Results as lines of a picture: one a method, and one more for each way in which results differ.

Pure: nothing here draws.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.rows import Row
from prune.methods import METHODS
from tui.tradeoffs.axes import SPARSITY, Axis
from tui.tradeoffs.lineage import DENSE

#: Reads what results may differ in besides method and sparsity, such as the precision.
Reader = Callable[[Row], str]


def learns_only(method: str) -> bool:
    """Whether it cuts nothing and fine-tunes: the control of those that do both."""
    known = METHODS.get(method)
    return known is not None and known.schedule == "learn"


def fine_tunes(method: str) -> bool:
    known = METHODS.get(method)
    return known is not None and known.fine_tunes


def is_control(method: str) -> bool:
    return method == DENSE or learns_only(method)


@dataclass(frozen=True)
class Point:
    """In the units of the axes; `low` to `high` is the interval of y, where there is one."""

    name: str
    x: float
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """What one method makes of one model, under the same conditions."""

    method: str
    #: What tells it from other lines of its method; empty where there are none.
    mark: str
    #: By rising sparsity, the control first.
    rows: tuple[Row, ...]

    @property
    def starts_at_control(self) -> bool:
        return bool(self.rows) and self.rows[0].method != self.method

    def points(self, x: Axis, y: Axis) -> list[Point]:
        """Those that have both numbers; several of one sparsity, as of many seeds, become one.

        That one is their mean, and its interval reaches from the lowest to the highest end.
        """
        alike: dict[object, list[Row]] = {}
        for row in self.rows:
            if x.value(row) is not None and y.value(row) is not None:
                alike.setdefault((is_control(row.method), _sparsity(row)), []).append(row)
        return [_point(rows, x, y) for rows in alike.values()]


def _sparsity(row: Row) -> float:
    """As it was asked for: what was achieved differs by a little."""
    asked, got = row.requested_percent, SPARSITY.value(row)
    return round(asked or got or 0.0, 1)


def _point(rows: Sequence[Row], x: Axis, y: Axis) -> Point:
    def mean(axis: Axis) -> float:
        return statistics.fmean(axis.value(row) or 0.0 for row in rows)

    intervals = [y.interval(row) for row in rows]
    known = [interval for interval in intervals if interval is not None]
    whole = len(known) == len(rows)
    return Point(
        name=rows[0].name,
        x=mean(x),
        y=mean(y),
        low=min(low for low, _ in known) if whole else None,
        high=max(high for _, high in known) if whole else None,
    )


@dataclass(frozen=True)
class Lines:
    """All that is on a picture."""

    lines: tuple[Line, ...]
    #: The dense models and those that were only fine-tuned, which are nobody's method.
    controls: tuple[Line, ...]

    @property
    def methods(self) -> list[str]:
        """Those that cut once first, then those that fine-tune."""
        found = dict.fromkeys(line.method for line in self.lines)
        return sorted(found, key=fine_tunes)

    @property
    def marks(self) -> list[str]:
        return list(dict.fromkeys(line.mark for line in (*self.controls, *self.lines)))

    def control(self, name: Callable[[str], bool], mark: str) -> Line | None:
        return next((c for c in self.controls if c.mark == mark and name(c.method)), None)


def lines_of(rows: Iterable[Row], readers: Mapping[str, Reader]) -> Lines:
    """Each line begins at its control: that of a method that fine-tunes was fine-tuned, too."""
    told = list(rows)
    mark = differing(told, readers)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in told:
        groups.setdefault((row.method, mark(row)), []).append(row)
    controls = {key: found for key, found in groups.items() if is_control(key[0])}

    def start(method: str, of: str) -> list[Row]:
        wanted = learns_only if fine_tunes(method) else (DENSE).__eq__
        return next((c for key, c in controls.items() if key[1] == of and wanted(key[0])), [])

    return Lines(
        tuple(
            Line(method, of, (*start(method, of), *sorted(found, key=_sparsity)))
            for (method, of), found in groups.items()
            if not is_control(method)
        ),
        tuple(Line(method, of, tuple(found)) for (method, of), found in controls.items()),
    )


def differing(rows: Sequence[Row], readers: Mapping[str, Reader]) -> Reader:
    """Says of a row what it has of its own, of all that these rows do not share.

    Of what only some of them tell nobody knows whether they differ in it.
    """
    apart = [read for read in readers.values() if len({read(row) for row in rows} - {""}) > 1]
    return lambda row: ", ".join(filter(None, (read(row) for read in apart)))


#: What rows of one model on one device may differ in.
CONDITIONS: Mapping[str, Reader] = {
    "precision": lambda row: row.precision,
    "threads": lambda row: f"{row.threads} threads" if row.threads else "",
    "settings": lambda row: row.settings,
}
