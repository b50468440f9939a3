"""What a variant may cost on a device, and what of it fails and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bench.rows import Row
from device_profiles.profiles import Budgets
from tui.tradeoffs.axes import LATENCY, MEMORY, RTF, SIZE


@dataclass(frozen=True)
class Kind:
    """Something with a limit."""

    key: str
    name: str
    unit: str
    digits: int

    def told(self, value: float) -> str:
        return f"{value:.{self.digits}f}{f' {self.unit}' if self.unit else ''}"


WER_LOSS = "wer_loss"
KINDS = (
    Kind("latency", "latency", "ms", 1),
    Kind("rtf", "RTF", "", 4),
    Kind("memory", "memory", "MiB", 0),
    Kind("size", "size", "MiB", 2),
    Kind(WER_LOSS, "WER loss", "points", 1),
)
KIND_OF = {kind.key: kind for kind in KINDS}
_AXES = {axis.key: axis for axis in (LATENCY, RTF, MEMORY, SIZE)}


@dataclass(frozen=True)
class Limits:
    """By the kind's key, in its unit; what is not there may be anything."""

    at_most: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, budgets: Budgets) -> Limits:
        return cls(
            {
                "rtf": budgets.real_time_factor,
                "memory": float(budgets.memory_mb),
                "size": float(budgets.size_mb),
                WER_LOSS: budgets.wer_loss_points,
            }
        )

    def with_limit(self, key: str, value: float | None) -> Limits:
        """None takes the limit away."""
        rest = {name: limit for name, limit in self.at_most.items() if name != key}
        return replace(self, at_most=rest if value is None else {**rest, key: value})


@dataclass(frozen=True)
class Excess:
    """A budget that a variant breaks."""

    kind: Kind
    value: float
    limit: float

    @property
    def ratio(self) -> float:
        """How many times the limit it is; a limit of nothing is broken without end."""
        return self.value / self.limit if self.limit > 0 else float("inf")

    def __str__(self) -> str:
        return f"{self.kind.name} {self.kind.told(self.value)} > {self.kind.told(self.limit)}"


def cost(row: Row, key: str, wer_loss: float | None) -> float | None:
    """In the unit of the kind; None where nobody knows."""
    return wer_loss if key == WER_LOSS else _AXES[key].value(row)


def excesses(row: Row, limits: Limits, wer_loss: float | None) -> list[Excess]:
    """Every budget that it breaks. What was not measured breaks none, see `unknown`."""
    broken = []
    for kind in KINDS:
        limit = limits.at_most.get(kind.key)
        if limit is not None:
            value = cost(row, kind.key, wer_loss)
            if value is not None and value > limit:
                broken.append(Excess(kind, value, limit))
    return broken


def unknown(row: Row, limits: Limits, wer_loss: float | None) -> list[Kind]:
    """Kinds with a limit of which nobody knows whether it is kept."""
    return [
        kind
        for kind in KINDS
        if kind.key in limits.at_most and cost(row, kind.key, wer_loss) is None
    ]
