"""Bars and curves of single characters."""

from __future__ import annotations


def bar(share: float, width: int) -> str:
    """`share` of 0 to 1, filled up with spaces; more than nothing shows at least a little."""
    halves = round(2 * width * min(1.0, max(0.0, share)))
    if share > 0:
        halves = max(1, halves)
    full, rest = divmod(halves, 2)
    return ("━" * full + ("╸" if rest else "")).ljust(width)


def strip(values: list[float], width: int) -> str:
    """The last `width` values as columns of eight heights, the lowest and highest as such."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high == low:
        return "▄" * len(shown)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / (high - low))] for value in shown)
