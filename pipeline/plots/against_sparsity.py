"""What zeros cost and gain: WER, latency, size and memory over sparsity, a line a series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.rows import Row
from pipeline.plots.style import FAINT, KINDS, figure, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Number = Callable[[Row], float | None]


@dataclass(frozen=True)
class Panel:
    """A quantity with its unit, and the ends of its 95 % interval where it has one."""

    label: str
    value: Number
    low: Number | None = None
    high: Number | None = None


PANELS = (
    Panel("WER, %", lambda row: row.wer, lambda row: row.wer_low, lambda row: row.wer_high),
    Panel(
        "median latency, ms",
        lambda row: row.latency_ms,
        lambda row: row.latency_low_ms,
        lambda row: row.latency_high_ms,
    ),
    Panel("size on the device, MiB", lambda row: row.size_mib),
    Panel("peak memory, MiB", lambda row: row.memory_mib),
)
MARKERS = "osD^v<PX*h"
_DASHES = ("-", "--", ":", "-.")

#: Inches: one panel, a line of the legend.
_WIDTH, _HEIGHT, _LEGEND_LINE = 4.6, 3.0, 0.19


def draw_against_sparsity(series: Mapping[str, Sequence[Row]], path: Path, *, title: str) -> None:
    """Write the PNG: a panel for each of PANELS that has a number, over the achieved sparsity."""
    every = [row for rows in series.values() for row in rows]
    shown = [panel for panel in PANELS if any(panel.value(row) is not None for row in every)]
    down = -(-len(shown) // 2)
    legend = -(-len(series) // 3) * _LEGEND_LINE
    with styled():
        drawn = figure(2 * _WIDTH, down * _HEIGHT + 0.5 + legend)
        for place, panel in enumerate(shown, start=1):
            _draw_panel(drawn.add_subplot(down, 2, place), series, panel)
        handles, labels = drawn.axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower left", ncols=3, fontsize=7.5)
        drawn.suptitle(literal(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(drawn, path)


def look(place: int, *, lines: bool = True) -> dict[str, Any]:
    """Of the series at this place; colours repeat with another dash."""
    return {
        "color": KINDS[place % len(KINDS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": _DASHES[place // len(KINDS) % len(_DASHES)] if lines else "",
    }


def literal(text: str) -> str:
    """Dollars would begin a formula."""
    return text.replace("$", r"\$")


def _draw_panel(axes: Axes, series: Mapping[str, Sequence[Row]], panel: Panel) -> None:
    for place, (name, rows) in enumerate(series.items()):
        points = sorted(
            (row.achieved_percent, value, *_interval(row, panel, value))
            for row in rows
            if row.achieved_percent is not None and (value := panel.value(row)) is not None
        )
        zeros, values, lows, highs = zip(*points, strict=True) if points else ((), (), (), ())
        axes.plot(zeros, values, label=f" {literal(name)}", markersize=4, linewidth=1.3,
                  **look(place))  # fmt: skip
        axes.fill_between(zeros, lows, highs, color=look(place)["color"], alpha=0.13, linewidth=0)
    axes.set_ylim(0, 1.06 * axes.get_ylim()[1])
    axes.grid(axis="y", color=FAINT, alpha=0.2, linewidth=0.5)
    axes.set_ylabel(panel.label)
    axes.set_xlabel("zeros, % of the prunable weights")


def _interval(row: Row, panel: Panel, value: float) -> tuple[float, float]:
    """No wider than a line where there is none."""
    low, high = (end(row) if end else None for end in (panel.low, panel.high))
    return (value if low is None else low), (value if high is None else high)
