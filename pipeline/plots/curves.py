"""Error over sparsity: a line a method, a band for what chance may have done to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.plots.style import FAINT, KINDS, figure, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: One for each of the colours, so that lines differ on a grey printer too.
_MARKERS = "osD^v<P"

#: Inches: one panel.
_WIDTH, _HEIGHT = 5.2, 3.8

#: Rates are drawn on a logarithmic scale from here on, as fractions: a model at 1 and one at 3
#: are equally useless.
_LEAST, _MOST = 0.01, 3.0


@dataclass(frozen=True)
class Curve:
    """Rates are fractions; `low` to `high` is the interval at each sparsity."""

    name: str
    sparsities: Sequence[float]
    rates: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def draw_curves(panels: Mapping[str, Sequence[Curve]], path: Path, *, title: str) -> None:
    """Write the PNG: a panel for each group of curves, all on the same axes."""
    across = 2 if len(panels) > 1 else 1
    down = -(-len(panels) // across)
    with styled():
        drawn = figure(_WIDTH * across, _HEIGHT * down + 0.4)
        for place, (name, curves) in enumerate(panels.items(), start=1):
            axes = drawn.add_subplot(down, across, place)
            _draw_panel(axes, name, curves)
        drawn.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(drawn, path)


def _draw_panel(axes: "Axes", title: str, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import FuncFormatter

    for place, curve in enumerate(curves):
        colour = KINDS[place % len(KINDS)]
        where = [100 * sparsity for sparsity in curve.sparsities]
        axes.plot(
            where, [max(rate, _LEAST) for rate in curve.rates], label=curve.name, color=colour,
            marker=_MARKERS[place % len(_MARKERS)], markersize=4, linewidth=1.4,
        )  # fmt: skip
        axes.fill_between(where, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0)
    axes.set_yscale("log")
    axes.set_ylim(_LEAST, _MOST)
    axes.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{100 * rate:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda rate, _: ""))
    axes.grid(axis="y", color=FAINT, alpha=0.2, linewidth=0.5)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("sparsity of the prunable weights, %")
    axes.set_ylabel("word error rate, % (log scale)")
    axes.legend(fontsize=7.5, loc="upper left")
