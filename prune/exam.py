"""Listening to a model that is being cut: how far its answers are from the dense model's."""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional as F

from prune.checkpoint import Checkpoint
from prune.forcing import Speech
from prune.learning.losses import task_for
from prune.listen import transcribe
from prune.replay import Replay
from speech.errors import BadInput
from speech.scoring import Score, score

#: Clips that go through the model together, where the family allows it.
_TOGETHER = 16


class Exam:
    """The held-out clips, what the dense model makes of them, and how far another is from that."""

    def __init__(
        self, checkpoint: Checkpoint, speech: Speech, normalizer: str | None = None, seed: int = 0
    ):
        self._checkpoint, self._normalizer, self._seed = checkpoint, normalizer, seed
        self._task = task_for(checkpoint)
        spoken = [speech[index] for index in range(len(speech))]
        examples = [(self._task.example(samples, text), text) for samples, text in spoken]
        fitting = [(example, text) for example, text in examples if self._task.fits(example)]
        if not fitting:
            raise BadInput(
                "There is no clip to measure on that fits the model's window: "
                "name a corpus with shorter clips."
            )
        self.clips = len(fitting)
        self._samples = [example.samples for example, _ in fitting]
        self._texts = [text for _, text in fitting]
        self._batches = [
            self._task.batch(group)
            for start in range(0, len(fitting), _TOGETHER)
            for group in self._task.groups([e for e, _ in fitting[start : start + _TOGETHER]])
        ]
        self.replay = Replay(checkpoint.model)
        self._taught = list(self._answers())
        self.answers = sum(map(len, self._taught))
        self.dense = self._scored()

    def start_at(self, layer: str) -> None:
        """Compute what is ahead of the layer now, for all cuts that leave it as it is."""
        self.replay.start_at(layer, lambda: list(self._answers()))

    def sit(self) -> tuple[float, Score | None]:
        """The divergence of the model as it is now, in nats per answer, and its score."""
        return self.divergence(), self._scored()

    def divergence(self) -> float:
        """Of the model as it is now from the dense one, in nats per answer."""
        answers = zip(self._answers(), self._taught, strict=True)
        nats = sum(
            float(F.kl_div(said, taught, reduction="sum", log_target=True))
            for said, taught in answers
        )
        return max(0.0, nats / self.answers)

    def _answers(self) -> Iterator[Tensor]:
        """Log probabilities, one row a token or frame, batch by batch."""
        for index, batch in enumerate(self._batches):
            self.replay.batch = index
            yield self._task.answer(self._checkpoint.model, batch).logits.log_softmax(-1)

    def _scored(self) -> Score | None:
        """Transcribing brings batches of its own: nothing that was recorded fits them."""
        if self._normalizer is None:
            return None
        with self.replay.paused():
            heard = transcribe(self._checkpoint, self._samples)
        return score(self._texts, heard, normalizer=self._normalizer, seed=self._seed)
