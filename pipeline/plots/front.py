"""Which variants no other one beats: WER over what a device pays, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rows import Row
from pipeline.plots.against_sparsity import literal, look
from pipeline.plots.style import FAINT, INK, figure, save, styled
from tui.tradeoffs import X_AXES, Y_AXES, Axis, located, worth_keeping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is paid, by the key that the terminal uses.
COSTS = tuple(axis for axis in X_AXES if axis.key in ("latency", "memory"))
_WER = Y_AXES[0]
_WIDTH, _HEIGHT, _LEGEND_LINE = 4.6, 3.4, 0.19


def front(rows: Sequence[Row], cost: Axis) -> list[Row]:
    """The rows that no other one beats in both, the cheapest first."""
    return [rows[place] for place in worth_keeping(located(rows, cost, _WER), cost, _WER)]


def draw_front(series: Mapping[str, Sequence[Row]], path: Path, *, title: str) -> None:
    """Write the PNG: a panel for each of COSTS, a mark for each variant."""
    legend = -(-len(series) // 3) * _LEGEND_LINE
    with styled():
        drawn = figure(_WIDTH * len(COSTS), _HEIGHT + 0.5 + legend)
        for place, cost in enumerate(COSTS, start=1):
            _draw_panel(drawn.add_subplot(1, len(COSTS), place), series, cost)
        handles, labels = drawn.axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower left", ncols=3, fontsize=7.5)
        drawn.suptitle(literal(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(drawn, path)


def _draw_panel(axes: Axes, series: Mapping[str, Sequence[Row]], cost: Axis) -> None:
    for place, (name, rows) in enumerate(series.items()):
        points = list(located(rows, cost, _WER).values())
        axes.plot(
            [x for x, _ in points], [y for _, y in points], label=f" {literal(name)}",
            markersize=5, **look(place, lines=False),
        )  # fmt: skip
    best = front([row for rows in series.values() for row in rows], cost)
    places = list(located(best, cost, _WER).values())
    axes.step(
        [x for x, _ in places], [y for _, y in places], where="post", color=INK, linewidth=0.9,
        zorder=0,
    )  # fmt: skip
    for row, (x, y) in zip(best, places, strict=True):
        axes.annotate(
            literal(row.name), (x, y), xytext=(4, 4), textcoords="offset points", fontsize=6.5,
            color=FAINT,
        )  # fmt: skip
    axes.set_xlabel(cost.label)
    axes.set_ylabel(_WER.label)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.12)
