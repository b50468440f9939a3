"""Layers by sparsity, as shades and numbers; pure."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from prune.damage import Sensitivity

#: From harmless to ruinous; the character says it where colours are missing.
_SHADES = " ░▒▓█"
_COLOURS = ("#3b4252", "#0072B2", "#009E73", "#E69F00", "#D55E00")


def heat_map(found: Sensitivity, width: int) -> RenderableType:
    """In a narrow terminal without the numbers."""
    damages = [cell.divergence for row in found.rows for cell in row.cells]
    scale = _Scale(damages)
    names = [_short(row.name) for row in found.rows]
    room = width - min(max(map(len, names), default=0), 34) - 4
    has_numbers = room >= 9 * len(found.sparsities)
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=34)
    for _ in found.sparsities:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(f"{100 * one:g} %", "dim") for one in found.sparsities))
    worst = found.most_sensitive()
    for name, row in zip(names, found.rows, strict=True):
        cells = [
            scale.cell(cell.divergence, has_number=has_numbers, is_worst=row.name == worst[at])
            for at, cell in enumerate(row.cells)
        ]
        table.add_row(Text(name), *cells)
    return Group(Text(_about(found)), Text(), table, Text(), scale.legend(found.unit))


def _about(found: Sensitivity) -> str:
    return (
        f"{found.model}, cut by {found.method} one {found.by} at a time, all else dense: how far "
        f"the answers are from the dense model's, in nats per {found.unit}, on {found.clips} clips "
        f"({found.answers} {found.unit}s). * hurts most at that sparsity."
    )


class _Scale:
    """Logarithmic: damage spans many powers of ten."""

    def __init__(self, damages: list[float]):
        known = [damage for damage in damages if damage > 0 and math.isfinite(damage)]
        self._low = math.log10(min(known)) if known else 0.0
        self._high = math.log10(max(known)) if known else 1.0

    def _level(self, damage: float) -> int:
        if not damage > 0:
            return 0
        span = (self._high - self._low) or 1.0
        share = (math.log10(damage) - self._low) / span if math.isfinite(damage) else 1.0
        return min(4, max(0, int(5 * share)))

    def cell(self, damage: float, *, has_number: bool, is_worst: bool) -> Text:
        level = self._level(damage)
        text = Text(_SHADES[level] * 2, Style(color=_COLOURS[level]))
        star = "*" if is_worst else " "
        number = f"{damage:.1e}" if 0 < damage < 1e-3 else f"{damage:.3f}"
        text.append(f"{number}{star}" if has_number else star, "bold" if is_worst else "")
        return text

    def legend(self, unit: str) -> Text:
        text = Text("", "dim")
        for level in range(5):
            at_least = 10 ** (self._low + level * (self._high - self._low) / 5)
            text.append(_SHADES[level] * 2, Style(color=_COLOURS[level]))
            text.append(f" from {at_least:.2g}   ", "dim")
        return text.append(f"nats per {unit}", "dim")


def _short(name: str) -> str:
    kept = [part for part in name.split(".") if part not in ("model", "layers")]
    return ".".join(kept)
