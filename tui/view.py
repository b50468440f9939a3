"""What the explore screen shows of one place: which rows, in which order, and what holds of them.

It knows no terminal. Numbers stand in columns, so that sorting many thousand rows is quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from bench.groups import model_of
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
        self._places: dict[tuple[object, ...], int] = {}
        self._keys: dict[str, int] = {}
        self._blobs: list[str] = []
        self._values: dict[str, list[float]] = {axis.key: [] for axis in ALL_AXES}
        self._models: list[int] = []
        self._model_numbers: dict[str, int] = {}
        self._dense_wers: dict[int, float] = {}
        self._dense: dict[Setting, int] = {}
        self._columns: dict[str, Floats] = {}
        self._texts: dict[str, list[float | str | None]] = {}

    @property
    def count(self) -> str:
        """Of what is shown, and of what there is if that is more."""
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

    def groups(self) -> list[str]:
        """Of all points, which are to share a colour: devices, or methods."""
        rows = (record.row for record in self.records)
        return [row.device if self.letters else row.method for row in rows]

    @property
    def rows(self) -> list[Row]:
        return [record.row for record in self.records]

    def add(self, batch: Sequence[Record]) -> None:
        """A record of an identity that is there takes its place."""
        self.version += 1
        for record in batch:
            self._put(record)
        self._columns, self._texts = {}, {}
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
        """What was measured, each with its dense model where that was measured as well."""
        pairs = [(record, self.dense_of(at)) for at, record in enumerate(self.records)]
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

    def recommended(self) -> tuple[Recommendation, int | None]:
        """Among all rows of the place, with the position of the one to look at."""
        losses = [self._loss(at) for at in range(len(self.records))]
        found = recommend(self.rows, self.limits, losses)
        return found, found.best if found.best is not None else found.better

    def position_of(self, key: str | None) -> int | None:
        return None if key is None else self._keys.get(key)

    def _put(self, record: Record) -> None:
        row = record.row
        at = self._places.setdefault(record.identity, len(self.records))
        model = self._model_numbers.setdefault(model_of(row), len(self._model_numbers))
        if at == len(self.records):
            self.records.append(record)
            self._blobs.append("")
            self._models.append(model)
            for values in self._values.values():
                values.append(np.nan)
        else:
            self._keys.pop(self.records[at].key, None)
            self.records[at], self._models[at] = record, model
        self._keys[record.key] = at
        self._blobs[at] = blob(row)
        self.longest_name = max(self.longest_name, len(row.name))
        for axis in ALL_AXES:
            value = axis.value(row)
            self._values[axis.key][at] = np.nan if value is None else value
        if row.method == DENSE:
            self._put_dense(at, model, row)

    def _put_dense(self, at: int, model: int, row: Row) -> None:
        if row.latency_ms:
            self._dense[Setting.of(row)] = at
        wer = WER.value(row)
        if wer is not None:
            self._dense_wers[model] = min(wer, self._dense_wers.get(model, wer))

    def _loss(self, at: int) -> float | None:
        return None if np.isnan(self.losses[at]) else float(self.losses[at])

    def _weigh(self) -> None:
        dense = np.full(len(self._model_numbers), np.nan)
        for model, wer in self._dense_wers.items():
            dense[model] = wer
        self.losses = self.points(WER) - dense[np.array(self._models, dtype=np.intp)]
        costs = {axis.key: self.points(axis) for axis in ALL_AXES} | {WER_LOSS: self.losses}
        self.failing = np.zeros(len(self.records), dtype=bool)
        for kind in KINDS:
            limit = self.limits.at_most.get(kind.key)
            if limit is not None:
                self.failing |= costs[kind.key] > limit
        self._arrange()

    def _arrange(self) -> None:
        order = self._sorted()
        if self.search:
            rows, blobs, search = self.records, self._blobs, self.search
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
        if self.sort is None:
            return list(range(len(self.records)))
        if self.sort in self._values:
            numbers = np.array(self._values[self.sort])
            ranked = np.argsort(-numbers if self.descending else numbers, kind="stable")
            order: list[int] = ranked.tolist()
            return order
        ranks = self._ranks(self.sort)
        known = [at for at, rank in enumerate(ranks) if rank is not None]
        known.sort(key=ranks.__getitem__, reverse=self.descending)  # type: ignore[arg-type]
        return known + [at for at, rank in enumerate(ranks) if rank is None]

    def _ranks(self, key: str) -> list[float | str | None]:
        if key == REMOVED:
            return [self.removed_percent(at) for at in range(len(self.records))]
        if key not in self._texts:
            column = COLUMN_OF.get(key, NAME)
            self._texts[key] = [column.rank(record.row) for record in self.records]
        return self._texts[key]
