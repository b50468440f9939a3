"""What the numbers of several commands' options may be."""

from __future__ import annotations

import math
from typing import Any

import click

#: As in recipes: what every machine and library can take for a seed.
SEEDS = click.IntRange(0, 2**32 - 1)


class _Seconds(click.FloatRange):
    """Above 0, and a number: every comparison with NaN says no, so that a range lets it through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds(0, min_open=True)
