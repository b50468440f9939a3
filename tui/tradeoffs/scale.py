"""Limits and ticks of an axis."""

from __future__ import annotations

import math


def padded(low: float, high: float) -> tuple[float, float]:
    """Limits with a margin round the values, so that no mark lies on the frame."""
    margin = 0.06 * (high - low) or max(abs(low) * 0.1, 1.0)
    return low - margin, high + margin


def round_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between the limits, `at_most` so many."""
    power = 10.0 ** math.floor(math.log10((high - low) / at_most))
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < at_most:
            break
    return [multiple * step for multiple in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """With as many digits as tell neighbours apart."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return f"{value + 0.0:.{digits}f}"  # adding nothing makes a -0 plain
