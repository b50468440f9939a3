"""Everything about a pruning that is not the method or the sparsity; imports no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from prune.training_plan import FineTuning
from speech.errors import BadInput


@dataclass(frozen=True)
class Options:
    """Defaults are what `secateur prune` does when told nothing else."""

    #: Globs and components; empty for all prunable layers.
    layers: tuple[str, ...] = ()
    #: Whether the vocabulary projection, tied to Whisper's embedding, is among them.
    tied: bool = False
    #: Draws whatever is drawn by chance.
    seed: int = 0
    #: n and m for methods that keep n of every m inputs; None for the smallest m that fits.
    pattern: tuple[int, int] | None = None
    #: Sparsity by component, for methods with a component profile.
    shares: Mapping[str, float] = field(default_factory=dict)
    #: Structured: shares of all heads and of all FFN neurons to cut out, in place of a sparsity.
    heads: float | None = None
    ffn: float | None = None
    #: Structured: share of all transformer blocks to drop, before anything else is cut.
    blocks: float | None = None
    #: OWL: an outlier is so many times the layer's mean, and sparsities span twice lambda.
    owl_m: float = 5.0
    owl_lambda: float = 0.08
    #: Mixed sparsity: the span of sparsities between the most and the least sensitive layer.
    alpha: float = 0.2
    #: Mixed sparsity: random directions a clip by which the trace of the loss's Hessian is
    #: estimated; 0 takes the closed form of each layer. Few are noise: see `prune.curvature`.
    hutchinson: int = 0
    #: Diagonal OBS: whether the gradient counts beside the curvature.
    gradient: bool = False
    #: OBS: one sweep over the columns in place of the mask search; several times faster, less good.
    quick: bool = False
    #: The numbers in which Hessians are added up; "float64" needs a CPU or CUDA.
    precision: Literal["float32", "float64"] = "float32"
    #: What iterative methods take away between two fine-tunings, in sparsity.
    step: float = 0.1
    #: How long and hard to fine-tune; a gradual schedule shares its steps out among its lessons.
    fine_tuning: FineTuning = field(default_factory=FineTuning)

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise BadInput(f"step {self.step} is not above 0 and at most 1.")
        if self.hutchinson < 0:
            raise BadInput(
                f"hutchinson {self.hutchinson} is no number of directions: give 1 or more, "
                "or 0 for the closed form."
            )

    @property
    def by_share(self) -> bool:
        """Whether shares of blocks, heads or neurons say what goes."""
        return any(share is not None for share in (self.blocks, self.heads, self.ffn))


def parsed_pattern(text: str) -> tuple[int, int]:
    """`2:4` as two numbers."""
    kept, colon, group = text.partition(":")
    if not (colon and kept.isdecimal() and group.isdecimal() and 0 < int(kept) < int(group)):
        raise BadInput(f"pattern {text!r} is not n:m with 0 < n < m: give one such as 2:4.")
    return int(kept), int(group)


def rising(stops: Iterable[float], step: float) -> list[float]:
    """The sparsities of a gradual schedule: in even steps from each stop to the next."""
    sparsities, reached = list[float](), 0.0
    for stop in sorted({*stops} - {0.0}):
        count = max(1, round((stop - reached) / step))
        gap = (stop - reached) / count
        sparsities += [round(reached + gap * (i + 1), 6) for i in range(count - 1)] + [stop]
        reached = stop
    return sparsities
