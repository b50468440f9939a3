"""Where the zeros are: a row a layer, a column a variant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.plots.against_sparsity import literal
from pipeline.plots.style import EMPTY, GRADIENT, figure, save, styled

#: Inches: a cell, what is around the cells, a character of a name.
_CELL, _ROW, _ABOVE_AND_BELOW, _BESIDE, _CHARACTER = 0.32, 0.15, 0.9, 1.6, 0.065

#: More layers than this are drawn thinner, and only every so many are named.
_MOST_NAMED = 80


def draw_layer_map(variants: Mapping[str, Mapping[str, float]], path: Path, *, title: str) -> None:
    """Write the PNG; shares of zeros are fractions of one, by variant and layer."""
    import matplotlib
    import numpy as np

    layers = list(dict.fromkeys(layer for shares in variants.values() for layer in shares))
    longest = max(map(len, layers)) * _CHARACTER
    names = max(map(len, variants)) * _CHARACTER
    row = _ROW if len(layers) <= _MOST_NAMED else _ROW * _MOST_NAMED / len(layers)
    values = [[variants[name].get(layer, np.nan) for name in variants] for layer in layers]
    with styled():
        width = max(5.5, longest + _BESIDE + _CELL * len(variants))
        drawn = figure(width, _ABOVE_AND_BELOW + names + row * max(8, len(layers)))
        axes = drawn.add_subplot()
        image = axes.imshow(
            np.ma.masked_invalid(100 * np.array(values, dtype=float)),
            cmap=matplotlib.colormaps[GRADIENT].with_extremes(bad=EMPTY),
            vmin=0, vmax=100, aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axes.set_xticks(range(len(variants)), list(map(literal, variants)), rotation=90, fontsize=7)
        step = -(-len(layers) // _MOST_NAMED)
        places = range(0, len(layers), step)
        axes.set_yticks(places, [literal(layers[place]) for place in places], fontsize=6.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        legend = drawn.colorbar(image, ax=axes, pad=0.02, aspect=30)
        legend.set_label("zero or removed, % of the layer's weights")
        drawn.suptitle(literal(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(drawn, path)
