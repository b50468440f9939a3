"""Which variants come from the same model, and what cutting it has cost and gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.rows import Row
from tui.tradeoffs.axes import LATENCY, finite
from tui.tradeoffs.difference import Measured, difference

DENSE = "dense"
#: Zeros, in percent of the prunable weights, from which on people expect speed of them.
_MANY_ZEROS = 10.0


def model_of(row: Row) -> str:
    """What was pruned: as the manifest says, else the name up to the method."""
    if row.model:
        return row.model
    stem, found, _ = row.name.partition(f"-{row.method}") if row.method else (row.name, "", "")
    return stem if found else row.family


def dense_wers(rows: Iterable[Row]) -> dict[str, float]:
    """By model the error rate of the uncut one in full precision, in percent."""
    best: dict[str, float] = {}
    for row in rows:
        wer = finite(row.wer) if row.method == DENSE else None
        if wer is not None:
            model = model_of(row)
            best[model] = min(wer, best.get(model, wer))
    return best


def wer_losses(rows: Sequence[Row], dense: Mapping[str, float]) -> list[float | None]:
    """Percentage points of WER above the dense model; None where one of them is not known."""
    losses: list[float | None] = []
    for row in rows:
        wer, base = finite(row.wer), dense.get(model_of(row))
        losses.append(None if wer is None or base is None else wer - base)
    return losses


@dataclass(frozen=True)
class Setting:
    """What two measurements must share for their latencies to be comparable."""

    model: str
    device: str
    threads: int | None
    settings: str
    precision: str

    @classmethod
    def of(cls, row: Row) -> Setting:
        return cls(model_of(row), row.device, row.threads, row.settings, row.precision)


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
