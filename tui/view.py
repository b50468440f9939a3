"""What the explore screen shows of one place: which rows, in which order, and what holds of them.

Only rows of one group are shown, as only those can be compared. It knows no terminal. Numbers stand
in columns, so that sorting many thousand rows is quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from bench.groups import Group, Scored, group_of, labels
from bench.rows import Row
from tui.columns import COLUMN_OF, COLUMNS, DEVICE, NAME, REMOVED, WITH_DEVICE, Column
from tui.glyphs import glyph_of
from tui.search import Search, blob
from tui.source.records import Computed, Detail, Record
from tui.tradeoffs.axes import ALL_AXES, WER, X_AXES, Axis
from tui.tradeoffs.budgets import KINDS, WER_LOSS, Excess, Limits, excesses
from tui.tradeoffs.front import pareto_front
from tui.tradeoffs.lineage import DENSE, Setting, idle_zeros
from tui.tradeoffs.recommend import Recommendation, recommend
from tui.words import Told

Floats = NDArray[np.float64]
#: By which devices are told apart where several are shown; with more they come round again.
_LETTERS = ascii_lowercase + ascii_uppercase


class View:
    """Positions are places in `records`; `order` holds those that are shown."""

    def __init__(self) -> None:
        self.computed: dict[str, Computed] = {}
        self.limits = Limits()
        self.group: Group | None = None  # that is shown
        self._wanted: Group | None = None  # that was chosen, and is shown wherever it is
        self.search = Search("")
        self.sort: str | None = None
        self.descending = False
        self.x_axis: Axis = X_AXES[0]
        self.y_axis: Axis = WER
        self.letters: Mapping[str, str] = {}  # of devices, where several are shown at once
        self.version = 0  # counts up with the records
        self.clear()

    def clear(self) -> None:
        self.version += 1
        self.records: list[Record] = []
        self.order: list[int] = []
        self.front: list[int] = []
        self.losses: Floats = np.zeros(0)
        self.failing: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.longest_name = 0
        self._keys: dict[str, int] = {}
        self._blobs: list[str] = []  # of as many records as were searched so far
        self._values: dict[str, list[float]] = {axis.key: [] for axis in ALL_AXES}
        self._group_at: list[int] = []  # of each record, its number
        self._numbers: dict[Group, int] = {}
        self._members: NDArray[np.intp] = np.zeros(0, dtype=np.intp)  # of the group that is shown
        self._dense_wers: dict[Scored, float] = {}
        self._dense: dict[Setting, int] = {}
        self._columns: dict[str, Floats] = {}
        self._texts: dict[str, list[float | str | None]] = {}

    @property
    def count(self) -> str:
        """Of what is shown, and of all groups together if that is more."""
        shown, there = len(self.order), len(self.records)
        return f"{shown:,} of {there:,}" if shown != there else f"{there:,}"

    def tell_apart(self, devices: Sequence[str]) -> None:
        """Several devices, from now on; none or one needs no telling."""
        several = devices if len(devices) > 1 else ()
        self.letters = {device: _LETTERS[at % len(_LETTERS)] for at, device in enumerate(several)}
        self.version += 1

    @property
    def columns(self) -> tuple[Column, ...]:
        return WITH_DEVICE if self.letters else COLUMNS

    def cells(self, at: int) -> list[str]:
        """Of all columns, in their order."""
        record = self.records[at]
        cells = {column.key: column.cell(record.row) for column in self.columns}
        removed = self.removed_percent(at)
        if removed is not None:
            cells[REMOVED] = f"{removed:.0f} %"
        if self.letters:
            cells[DEVICE.key] = f"{self.letters.get(record.row.device, ' ')} {record.row.device}"
        if self.failing[at]:
            last = self.columns[-1].key
            cells[last] = "; ".join([*map(str, self.excesses(at)), *filter(None, [cells[last]])])
        return list(cells.values())

    def marks(self) -> list[str]:
        """Of all points: letters for devices where there are several, else what they are."""
        if self.letters:
            return [self.letters.get(record.row.device, "?") for record in self.records]
        return [glyph_of(record.row) for record in self.records]

    def kinds(self) -> list[str]:
        """Of all points; those of a kind share a colour: devices, or methods."""
        rows = (record.row for record in self.records)
        return [row.device if self.letters else row.method for row in rows]

    @property
    def groups(self) -> list[Group]:
        """Those that there are rows of, in the order in which they came."""
        there = set(self._group_at)
        return [group for group, number in self._numbers.items() if number in there]

    @property
    def label(self) -> str:
        """Of the group that is shown, in words that tell it from the others; `n` shows the next."""
        groups = self.groups
        if self.group is None or not groups:
            return ""
        at = f"{1 + groups.index(self.group)}/{len(groups)} (n) " if len(groups) > 1 else ""
        return f"{at}{labels(groups)[self.group]}"

    def show_group(self, group: Group | None) -> None:
        """Now, or as soon as there are rows of it."""
        self._wanted = group
        self._choose_group()
        self._arrange()

    def add(self, batch: Sequence[Record]) -> None:
        self.version += 1
        for record in batch:
            self._put(record)
        self._columns, self._texts = {}, {}
        self._choose_group()
        self._weigh()

    def limit(self, limits: Limits) -> None:
        self.limits = limits
        self._weigh()

    def sort_by(self, key: str | None, *, descending: bool) -> None:
        self.sort, self.descending = key, descending
        self._arrange()

    def look_for(self, query: str) -> None:
        self.search = Search(query)
        self._arrange()

    def show_axes(self, x: Axis, y: Axis) -> None:
        self.x_axis, self.y_axis = x, y
        self._find_front()

    def points(self, axis: Axis) -> Floats:
        """By position; NaN where a row has no such number."""
        if axis.key not in self._columns:
            self._columns[axis.key] = np.array(self._values[axis.key], dtype=np.float64)
        return self._columns[axis.key]

    def shown(self) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.records), dtype=bool)
        mask[self.order] = True
        return mask

    def excesses(self, at: int) -> list[Excess]:
        return excesses(self.records[at].row, self.limits, self._loss(at))

    def removed_percent(self, at: int) -> float | None:
        """Of the dense model's operations; None where they were not counted."""
        found = self.computed.get(self.records[at].key)
        if found is None or not found.dense_giga:
            return None
        return 100 * (1 - found.giga / found.dense_giga)

    def warning(self, at: int) -> str | None:
        dense = {setting: self.records[place].row for setting, place in self._dense.items()}
        return idle_zeros(self.records[at].row, dense)

    def dense_of(self, at: int) -> Record | None:
        """The uncut model, in the same settings."""
        place = self._dense.get(Setting.of(self.records[at].row))
        return None if place is None else self.records[place]

    def with_dense(self) -> list[tuple[Record, Record]]:
        """What was measured of the group, each with its dense model where that was as well."""
        pairs = [(self.records[at], self.dense_of(at)) for at in self._members]
        return [(record, dense) for record, dense in pairs if dense and record.key.isdigit()]

    def told(self, at: int, detail: Detail | None) -> Told:
        """All that is known of a row; `detail` may still be that of another one."""
        record = self.records[at]
        return Told(
            record.row,
            [str(excess) for excess in self.excesses(at)],
            self.warning(at),
            detail if detail and detail.key == record.key else None,
            self.computed.get(record.key),
        )

    def recommended(self, device: str | None = None) -> tuple[Recommendation, int | None]:
        """Among all rows of the group, or those of one device, with the position to look at."""
        members: list[int] = self._members.tolist()
        if device is not None:
            members = [at for at in members if self.records[at].row.device == device]
        rows = [self.records[at].row for at in members]
        found = recommend(rows, self.limits, [self._loss(at) for at in members])
        best = found.best if found.best is not None else found.better
        return found, None if best is None else members[best]

    def position_of(self, key: str | None) -> int | None:
        return None if key is None else self._keys.get(key)

    def _put(self, record: Record) -> None:
        row = record.row
        at = len(self.records)
        group = group_of(row)
        self.records.append(record)
        self._group_at.append(self._numbers.setdefault(group, len(self._numbers)))
        self._keys[record.key] = at
        self.longest_name = max(self.longest_name, len(row.name))
        for axis in ALL_AXES:
            value = axis.value(row)
            self._values[axis.key].append(np.nan if value is None else value)
        if row.method == DENSE:
            self._put_dense(at, group, row)

    def _put_dense(self, at: int, group: Group, row: Row) -> None:
        """Losses are compared wherever clips were timed: both rates are the host's."""
        if row.latency_ms:
            self._dense[Setting.of(row)] = at
        wer = WER.value(row)
        if wer is not None:
            best = self._dense_wers.get(group.scored, wer)
            self._dense_wers[group.scored] = min(wer, best)

    def _loss(self, at: int) -> float | None:
        return None if np.isnan(self.losses[at]) else float(self.losses[at])

    def _weigh(self) -> None:
        known = [self._dense_wers.get(group.scored, np.nan) for group in self._numbers]
        dense = np.array(known, dtype=np.float64)
        self.losses = self.points(WER) - dense[np.array(self._group_at, dtype=np.intp)]
        costs = {axis.key: self.points(axis) for axis in ALL_AXES} | {WER_LOSS: self.losses}
        self.failing = np.zeros(len(self.records), dtype=bool)
        for kind in KINDS:
            limit = self.limits.at_most.get(kind.key)
            if limit is not None:
                self.failing |= costs[kind.key] > limit
        self._arrange()

    def _choose_group(self) -> None:
        """What was chosen if it is there, else what is shown already, else the largest."""
        group_at = np.array(self._group_at, dtype=np.intp)
        counts = np.bincount(group_at, minlength=len(self._numbers))
        there = {group for group, number in self._numbers.items() if counts[number]}
        if self._wanted in there:
            self.group = self._wanted
        elif self.group not in there:
            self.group = max(there, key=lambda group: counts[self._numbers[group]], default=None)
        shown = self._numbers[self.group] if self.group in there and self.group else -1
        self._members = np.flatnonzero(group_at == shown)

    def _arrange(self) -> None:
        order = self._sorted()
        if self.search:
            rows, blobs, search = self.records, self._blobs, self.search
            blobs += [blob(record.row) for record in rows[len(blobs) :]]
            order = [at for at in order if search.finds(rows[at].row, blobs[at])]
        self.order = order
        self._find_front()

    def _find_front(self) -> None:
        """Among what is shown, each axis counted in its own good direction."""
        shown = np.array(self.order, dtype=np.intp)
        costs = np.column_stack([self._costs(axis)[shown] for axis in (self.x_axis, self.y_axis)])
        self.front = [int(shown[at]) for at in pareto_front(costs)]

    def _costs(self, axis: Axis) -> Floats:
        return self.points(axis) if axis.lower_is_better else -self.points(axis)

    def _sorted(self) -> list[int]:
        """What was not measured stays at the end either way."""
        members: list[int] = self._members.tolist()
        if self.sort is None:
            return members
        if self.sort in self._values:
            numbers = np.array(self._values[self.sort])[self._members]
            ranked = np.argsort(-numbers if self.descending else numbers, kind="stable")
            return [members[at] for at in ranked]
        ranks = self._ranks(self.sort)
        known = [at for at in members if ranks[at] is not None]
        known.sort(key=ranks.__getitem__, reverse=self.descending)  # type: ignore[arg-type]
        return known + [at for at in members if ranks[at] is None]

    def _ranks(self, key: str) -> list[float | str | None]:
        if key == REMOVED:
            return [self.removed_percent(at) for at in range(len(self.records))]
        if key not in self._texts:
            column = COLUMN_OF.get(key, NAME)
            self._texts[key] = [column.rank(record.row) for record in self.records]
        return self._texts[key]
