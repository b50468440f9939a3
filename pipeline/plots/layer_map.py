"""Where the zeros are: a row a layer, a column a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.plots.style import EMPTY, GRADIENT, literal, save, slide, styled_slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: In parts of the slide: a character of a layer's and of a variant's name, what is around both.
_ACROSS, _UP, _RIGHT, _TOP = 0.0059, 0.0105, 0.895, 0.895

#: More layers than this are not named one by one, and names are not longer.
_MOST_NAMED, _LONGEST = 36, 40
#: Where there are few variants their names fit below without being turned.
_FLAT = 90


def draw_layer_map(variants: Mapping[str, Mapping[str, float]], path: Path, *, title: str) -> None:
    """Write the PNG; shares of zeros are fractions of one, by variant and layer."""
    import matplotlib
    import numpy as np

    layers = list(dict.fromkeys(layer for shares in variants.values() for layer in shares))
    values = [[variants[name].get(layer, np.nan) for name in variants] for layer in layers]
    step = -(-len(layers) // _MOST_NAMED)
    shared = _shared_start(layers)
    named = [_brief(layer.removeprefix(shared)) for layer in layers[::step]]
    columns = [_brief(name) for name in variants]
    is_flat = sum(map(len, columns)) + 2 * len(columns) <= _FLAT
    left = 0.03 + _ACROSS * max(map(len, named))
    bottom = 0.12 if is_flat else 0.075 + _UP * max(map(len, columns))
    note = f"Every layer has a row, one in {step} its name." if step > 1 else ""
    with styled_slide():
        drawn = slide(title, note)
        axes = drawn.add_axes((left, bottom, _RIGHT - left, _TOP - bottom))
        image = axes.imshow(
            np.ma.masked_invalid(100 * np.array(values, dtype=float)),
            cmap=matplotlib.colormaps[GRADIENT].with_extremes(bad=EMPTY),
            vmin=0, vmax=100, aspect="auto", interpolation="nearest",
        )  # fmt: skip
        _label(axes, columns, named, step, is_flat=is_flat)
        scale: Any = drawn.add_axes((_RIGHT + 0.015, bottom, 0.014, _TOP - bottom))
        legend = drawn.colorbar(image, cax=scale)
        legend.set_label("zero or removed, % of the layer's weights")
        legend.outline.set_visible(False)
        save(drawn, path)


def _label(axes: Axes, columns: list[str], named: list[str], step: int, *, is_flat: bool) -> None:
    axes.set_xticks(
        range(len(columns)), columns, rotation=0 if is_flat else 90,
        fontsize=11 if len(columns) <= 24 else 9,
    )  # fmt: skip
    axes.set_yticks([step * place for place in range(len(named))], named, fontsize=9.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _shared_start(layers: Sequence[str]) -> str:
    """Such as `model.`: what all names begin with, up to a dot."""
    alike = takewhile(
        lambda parts: len(set(parts)) == 1, zip(*(n.split(".") for n in layers), strict=False)
    )
    return "".join(f"{parts[0]}." for parts in alike) if len(layers) > 1 else ""


def _brief(name: str) -> str:
    """The end of a long name tells more than its beginning."""
    return literal(name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}")
