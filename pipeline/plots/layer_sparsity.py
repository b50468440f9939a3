"""How many zeros each layer got: a bar a layer, block under block, in the model's own order."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.plots.style import FAINT, KINDS, figure, percent, save, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches: a layer's bar with its name and value, one without, what is above and below, the bars.
_ROW, _THIN_ROW, _AROUND, _BARS = 0.185, 0.05, 1.2, 5.2

#: Inches: a character of a layer's name and of the title.
_CHARACTER, _TITLE_CHARACTER = 0.075, 0.112

#: More layers than this get thin bars, and only blocks are named.
_MOST_NAMED = 90


def draw_layer_sparsity(
    layers: Mapping[str, float], path: Path, *, title: str, achieved: float
) -> None:
    """Write the PNG; shares are fractions of one, `achieved` that of all prunable weights."""
    names = _short(list(layers))
    blocks = [_block(name) for name in names]
    is_named = len(names) <= _MOST_NAMED
    longest = max(map(len, names if is_named else blocks))
    height = _AROUND + len(names) * (_ROW if is_named else _THIN_ROW)
    with styled():
        width = max(longest * _CHARACTER + _BARS, len(title) * _TITLE_CHARACTER)
        drawn = figure(width, height)
        axes = drawn.add_subplot()
        _draw_bars(axes, list(layers.values()), blocks, with_values=is_named)
        if is_named:
            axes.set_yticks(range(len(names)), names)
        else:
            _name_blocks(axes, blocks)
        _mark(axes, achieved)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("zero or removed, % of the layer's weights")
        axes.tick_params(axis="y", length=0)
        drawn.suptitle(_literal(title), x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(drawn, path)


def _draw_bars(
    axes: "Axes", shares: Sequence[float], blocks: Sequence[str], *, with_values: bool
) -> None:
    """Neighbouring blocks differ in shade, so that each is seen as one."""
    order = {block: place for place, block in enumerate(dict.fromkeys(blocks))}
    shades = [KINDS[0] if order[block] % 2 == 0 else KINDS[5] for block in blocks]
    axes.barh(range(len(shares)), [100 * share for share in shares], 0.78, color=shades)
    for place, share in enumerate(shares if with_values else ()):
        axes.text(101, place, f"{100 * share:.1f}", va="center", fontsize=7, color=FAINT)


def _name_blocks(axes: "Axes", blocks: Sequence[str]) -> None:
    places: dict[str, list[int]] = {}
    for place, block in enumerate(blocks):
        places.setdefault(block, []).append(place)
    middles = [sum(inside) / len(inside) for inside in places.values()]
    axes.set_yticks(middles, list(places), fontsize=7)


def _mark(axes: "Axes", achieved: float) -> None:
    """A line at the model's own share, named above the bars."""
    axes.axvline(100 * achieved, color=KINDS[1], linewidth=1.1, linestyle="--")
    axes.set_title(
        f"Dashed: all prunable weights together, {percent(round(achieved, 3))}",
        fontsize=8.5, fontweight="normal", color=FAINT, pad=6,
    )  # fmt: skip


def _short(names: list[str]) -> list[str]:
    """Without the leading parts that all of them have in common."""
    parts = [name.split(".") for name in names]
    shared = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))))
    kept = shared if len(names) > 1 else 0
    return [_literal(".".join(part[kept:] or part)) for part in parts]


def _literal(text: str) -> str:
    """Dollars would begin a formula."""
    return text.replace("$", r"\$")


def _block(name: str) -> str:
    """The transformer block that a layer is in; of one outside of them what it is part of."""
    numbered = re.match(r".*?\.\d+(?=\.)", name)
    return numbered[0] if numbered else name.partition(".")[0]
