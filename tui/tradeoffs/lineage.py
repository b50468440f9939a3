"""Which variants come from the same model, and what cutting it has cost and gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.groups import Group, Scored, group_of
from bench.rows import Row
from tui.tradeoffs.axes import LATENCY, finite
from tui.tradeoffs.difference import Measured, difference

DENSE = "dense"
#: Zeros, in percent of the prunable weights, from which on people expect speed of them.
_MANY_ZEROS = 10.0


def dense_wers(rows: Iterable[Row]) -> dict[Scored, float]:
    """By model and speech the lowest error rate of the model that was not pruned, in percent."""
    best: dict[Scored, float] = {}
    for row in rows:
        wer = finite(row.wer) if row.method == DENSE else None
        if wer is not None:
            scored = group_of(row).scored
            best[scored] = min(wer, best.get(scored, wer))
    return best


def wer_losses(rows: Sequence[Row], dense: Mapping[Scored, float]) -> list[float | None]:
    """Percentage points of WER above the dense model on the same speech; None where not known."""
    losses: list[float | None] = []
    for row in rows:
        wer, base = finite(row.wer), dense.get(group_of(row).scored)
        losses.append(None if wer is None or base is None else wer - base)
    return losses


@dataclass(frozen=True)
class Setting:
    """What two measurements must share for their latencies to be comparable."""

    group: Group
    device: str
    threads: int | None
    settings: str
    precision: str

    @classmethod
    def of(cls, row: Row) -> Setting:
        return cls(group_of(row), row.device, row.threads, row.settings, row.precision)


def dense_rows(rows: Iterable[Row]) -> dict[Setting, Row]:
    """The uncut model under each setting it was measured in."""
    return {Setting.of(row): row for row in rows if row.method == DENSE and row.latency_ms}


def idle_zeros(row: Row, dense: Mapping[Setting, Row]) -> str | None:
    """A warning where a reader may believe that zeros have bought speed."""
    base = dense.get(Setting.of(row))
    zeros = finite(row.achieved_percent)
    if base is None or base is row or zeros is None or zeros < _MANY_ZEROS:
        return None
    mine, theirs = Measured.of(LATENCY, row), Measured.of(LATENCY, base)
    if mine is None or theirs is None:
        return None
    gain = difference(mine, theirs)
    if gain.is_real is not False and gain.value < 0:
        return None
    than = "no less than" if gain.value >= 0 and gain.is_real else "not really less than"
    return (
        f"{zeros:.0f} % zeros brought no latency: {mine.value:.1f} ms is {than} the dense "
        f"model's {theirs.value:.1f} ms. A dense runtime multiplies zeros as well."
    )
