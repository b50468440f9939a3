"""What a sensitivity measurement found; imports no torch, so that a report can draw it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from prune.methods import check_method
from speech.errors import BadInput
from speech.records import Count, Length, Name, Share, record_from
from speech.scoring import Score

#: What is cut at a time: a layer, a kind of layer, a transformer block, or half of the model
#: (encoder or decoder; in a CTC model the feature extractor or the transformer).
By = Literal["layer", "component", "block", "side"]
REGIONS: tuple[By, ...] = get_args(By)

#: The methods that look at one layer at a time: only those can be tried on one alone.
TRIED_METHODS = ("obs", "mp_local", "wanda")

#: Sparsities tried where no others are asked for; closer together where damage rises fast.
SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)


def check_tried_method(name: str) -> None:
    """Raise for a method that cannot cut one layer by itself."""
    check_method(name)
    if name not in TRIED_METHODS:
        raise BadInput(
            f"{name} does not cut each layer by itself: choose from {', '.join(TRIED_METHODS)}."
        )


@dataclass(frozen=True)
class Cell:
    """One region cut to one sparsity, all else dense."""

    ignores_unknown_keys: ClassVar[bool] = True

    #: Share of each of the region's layers that is zero.
    sparsity: Share
    #: How far the answers are from the dense model's: nats per token or frame, 0 for no change.
    divergence: float
    #: How well the held-out clips were transcribed, if that was asked for.
    score: Score | None = None


@dataclass(frozen=True)
class Row:
    """One region at every sparsity, rising."""

    ignores_unknown_keys: ClassVar[bool] = True

    name: Name
    layers: tuple[str, ...]
    #: How many weights those layers have together.
    weights: Count
    cells: Annotated[tuple[Cell, ...], Length(1000, least=1)]


@dataclass(frozen=True)
class Sensitivity:
    """Regions in the order in which the model runs them."""

    ignores_unknown_keys: ClassVar[bool] = True  # newer versions may write more

    model: Name
    method: Name
    by: By
    #: What the divergence is the mean over: "token" or, in a CTC model, "frame".
    unit: Literal["token", "frame"]
    #: Held-out clips listened to, and the tokens or frames in them.
    clips: Count
    answers: Count
    #: Other clips that the method was shown; 0 for one that needs none.
    calibration_clips: Count
    seed: int
    rows: Annotated[tuple[Row, ...], Length(100_000, least=1)]
    #: The uncut model's score, if scores were asked for.
    dense: Score | None = None

    @property
    def sparsities(self) -> tuple[float, ...]:
        return tuple(cell.sparsity for cell in self.rows[0].cells)

    def most_sensitive(self) -> list[str | None]:
        """By sparsity the region that hurts most; None where nothing hurts."""
        worst = (
            max(self.rows, key=lambda row: row.cells[column].divergence)
            for column in range(len(self.sparsities))
        )
        return [
            row.name if row.cells[column].divergence > 0 else None
            for column, row in enumerate(worst)
        ]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"most_sensitive": self.most_sensitive()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; ValueError names the place of anything else."""
        found = record_from(cls, data)
        for row in found.rows:
            if [cell.sparsity for cell in row.cells] != list(found.sparsities):
                raise ValueError(f"rows: {row.name} has other sparsities than the first one")
        return found
