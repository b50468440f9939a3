"""A sensitivity measurement as a heat map: a row a region, a column a sparsity."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.plots.style import (
    EMPTY,
    FAINT,
    GRADIENT,
    INK,
    KINDS,
    brief,
    figure,
    percent,
    save,
    styled,
)
from prune.damage import Row, Sensitivity
from speech.counted import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm

#: Inches: a cell, what is written around the cells, and a character of a region's name.
_CELL_WIDTH, _CELL_HEIGHT = 0.58, 0.215
_ABOVE_AND_BELOW, _BESIDE, _CHARACTER = 1.95, 1.5, 0.072

#: Colours span at most so many powers of ten below the worst: what is less does not matter.
_DECADES = 4.0


def draw_heat_map(result: Sensitivity, path: Path, *, corpus: str) -> None:
    """Write the PNG; `corpus` is named in the title."""
    names = max(len(row.name) for row in result.rows)
    width = names * _CHARACTER + _BESIDE + _CELL_WIDTH * len(result.sparsities)
    height = _ABOVE_AND_BELOW + _CELL_HEIGHT * max(4, len(result.rows))
    with styled():
        drawn = figure(max(6.4, width), height)
        axes = drawn.add_subplot()
        scale = _scale(result)
        _colour(axes, result, scale)
        _write_values(axes, result, scale)
        _part_blocks(axes, result.rows)
        _label(axes, result)
        drawn.suptitle(_title(result), x=0.01, ha="left", fontsize=11, fontweight="bold")
        drawn.supxlabel(
            f"{_provenance(result, corpus)}\nFramed: the most sensitive at that sparsity.",
            x=0.01, ha="left", fontsize=8, color=FAINT,
        )  # fmt: skip
        save(drawn, path)


def _scale(result: Sensitivity) -> "LogNorm":
    from matplotlib.colors import LogNorm

    measured = [cell.divergence for row in result.rows for cell in row.cells if cell.divergence > 0]
    most = max(measured, default=1.0)
    least = max(min(measured, default=0.1), most / 10**_DECADES)
    return LogNorm(min(least, most / 10), most, clip=True)


def _colour(axes: "Axes", result: Sensitivity, scale: "LogNorm") -> None:
    import matplotlib
    import numpy as np

    damage = np.array([[cell.divergence for cell in row.cells] for row in result.rows])
    colours = matplotlib.colormaps[GRADIENT].with_extremes(bad=EMPTY)
    shown = np.ma.masked_equal(damage, 0)
    image = axes.imshow(shown, cmap=colours, norm=scale, aspect="auto", interpolation="nearest")
    whole = axes.figure
    legend = whole.colorbar(image, ax=axes, pad=0.015, aspect=max(12, 0.8 * len(result.rows)))
    legend.set_label(f"nats per {result.unit}")
    legend.outline.set_visible(False)


def _write_values(axes: "Axes", result: Sensitivity, scale: "LogNorm") -> None:
    """Light on dark and dark on bright; the worst of each column framed."""
    from matplotlib.patches import Rectangle

    worst = result.most_sensitive()
    for y, row in enumerate(result.rows):
        for x, cell in enumerate(row.cells):
            dark = cell.divergence > 0 and float(scale(cell.divergence)) < 0.6
            is_worst = worst[x] == row.name
            axes.text(
                x, y, brief(cell.divergence), ha="center", va="center", fontsize=7,
                color="white" if dark else INK, fontweight="bold" if is_worst else "normal",
            )  # fmt: skip
            if is_worst:
                frame = Rectangle(
                    (x - 0.47, y - 0.45),
                    0.94,
                    0.9,
                    fill=False,
                    edgecolor=KINDS[1],
                    linewidth=1.6,
                    zorder=3,
                )
                axes.add_patch(frame)


def _part_blocks(axes: "Axes", rows: tuple[Row, ...]) -> None:
    """A white line wherever the next transformer block begins."""
    blocks = [_block(row.name) for row in rows]
    for y in range(1, len(rows)):
        if blocks[y] != blocks[y - 1]:
            axes.axhline(y - 0.5, color="white", linewidth=2.5)


def _block(name: str) -> str:
    """`encoder.layers.0` of a layer in it; of any other region what stands before the last dot."""
    numbered = re.match(r".*?\.\d+(?=\.)", name)
    return numbered[0] if numbered else name.rpartition(".")[0]


def _label(axes: "Axes", result: Sensitivity) -> None:
    axes.set_yticks(range(len(result.rows)), [row.name for row in result.rows])
    axes.set_xticks(range(len(result.sparsities)), [percent(s) for s in result.sparsities])
    axes.tick_params(length=0, labeltop=len(result.rows) > 20)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"Damage: KL divergence from the dense model's answers, nats per {result.unit}",
        fontsize=8.5, fontweight="normal", color=FAINT, pad=6,
    )  # fmt: skip
    axes.set_xlabel(f"share of the {result.by}'s weights set to zero, all else dense")


def _title(result: Sensitivity) -> str:
    return f"Sensitivity of {Path(result.model).name} to pruning, by {result.by}"


def _provenance(result: Sensitivity, corpus: str) -> str:
    heard = f"Method {result.method}; {counted(result.clips, 'clip')} of {corpus}"
    if result.calibration_clips:
        heard += f", calibrated on {result.calibration_clips} others"
    return f"{heard}; seed {result.seed}."
