"""How long and how hard to fine-tune: the numbers alone, so that naming them imports no torch."""

from dataclasses import dataclass, fields

from speech.errors import BadInput

#: Files in which a schedule keeps its state, in its folder: after each stage, and of one under way.
STATE = SCHEDULE_STATE, LESSON_STATE = ("schedule.pt", "lesson.pt")

#: More clips would make a look at them longer than the steps in between, and rank no better.
MOST_HELD_OUT = 64


@dataclass(frozen=True)
class FineTuning:
    """Every setting of `prune.finetune`; impossible values are BadInput that names them."""

    #: Updates of the weights.
    steps: int = 300
    #: Clips that go into one gradient.
    batch: int = 16
    #: Gradients added up before each update, for batches larger than the memory.
    accumulate: int = 1
    #: AdamW's learning rate at its peak, at the end of the warm-up; it then falls to 0 in a line.
    rate: float = 5e-4
    #: Steps over which the rate rises in a line.
    warm_up: int = 30
    #: AdamW's, for matrices; biases and norms have none.
    weight_decay: float = 0.01
    #: The longest that a gradient may be (2-norm over all weights).
    clip: float = 1.0
    #: Weight of the divergence from the teacher's logits (nats per token or frame) in the loss.
    distil_logits: float = 3.0
    #: Weight of the distance from what the teacher's blocks give (share of its variance).
    distil_states: float = 5.0
    #: What both sides' logits are divided by before they are compared.
    temperature: float = 2.0
    #: Whether to hide a stretch of time and a band of frequencies.
    spec_augment: bool = True
    #: Whether to play clips at 0.8 to 1.25 times their speed, by chance.
    speed: bool = True
    #: Whether to move the formants by chance, for models that hear a mel spectrogram.
    voices: bool = True
    #: Share of the clips, 64 at most, that is not learnt from, but tells which weights were best.
    held_out: float = 0.1
    #: Steps from one look at the held-out clips to the next.
    check_every: int = 50
    #: Looks without improvement after which to stop.
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "check_every", "patience"):
            self._hold(name, getattr(self, name) >= 1, "must be at least 1")
        for name in ("warm_up", "weight_decay", "distil_logits", "distil_states", "seed"):
            self._hold(name, getattr(self, name) >= 0, "must be 0 or more")
        for name in ("rate", "clip", "temperature"):
            self._hold(name, getattr(self, name) > 0, "must be above 0")
        self._hold("held_out", 0 < self.held_out < 1, "must be above 0 and below 1")
        for field in fields(self):
            value = getattr(self, field.name)
            self._hold(field.name, abs(value) < float("inf"), "must be finite")

    def _hold(self, name: str, possible: bool, rule: str) -> None:
        if not possible:
            raise BadInput(f"Fine-tuning: {name} = {getattr(self, name)!r} {rule}.")

    @property
    def distils(self) -> bool:
        return self.distil_logits > 0 or self.distil_states > 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, the first being 0."""
        risen = (step + 1) / max(1, self.warm_up)
        left = (self.steps - step) / max(1, self.steps - self.warm_up)
        return self.rate * min(1.0, risen, left)


@dataclass(frozen=True)
class Outcome:
    """What came of it. The model holds the weights of `best_step`."""

    #: Steps taken.
    steps: int
    #: The step after which the held-out loss was lowest; 0 is the model as it was given.
    best_step: int
    #: Step and loss on the held-out clips, the model as it was given first.
    held_out: tuple[tuple[int, float], ...]
    #: "finished", "no longer improving" or "diverged: …".
    stopped: str
