"""Which parts of a model can bear cutting: one part at a time is cut, the rest stays dense."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from prune import scores
from prune.allocation.masks import lowest, lowest_by_row, zeros_first
from prune.checkpoint import Checkpoint
from prune.damage import SPARSITIES, By, Cell, Row, Sensitivity, check_tried_method
from prune.families.regions import regions
from prune.families.selection import chosen_weights
from prune.forcing import Report, Speech, fitting_clips
from prune.listen import transcribe
from prune.losses import task_for
from prune.replay import Replay
from prune.solve import SharedSolver, Solver, cut_to_count
from prune.statistics import hessians
from speech.errors import BadInput
from speech.scoring import Score, score

#: Clips that go through the model together, where the family allows it.
_TOGETHER = 16


@torch.no_grad()
def sensitivity(
    checkpoint: Checkpoint,
    held_out: Speech,
    *,
    calibration: Speech | None = None,
    method: str = "obs",
    by: By = "layer",
    sparsities: Sequence[float] = SPARSITIES,
    layers: Sequence[str] = (),
    normalizer: str | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> Sensitivity:
    """Cut each region in its turn to each sparsity, and listen to what that does to the answers.

    Damage is the mean Kullback-Leibler divergence from the dense model's answers on `held_out`,
    Whisper's decoder being fed the text. Methods other than mp_local see `calibration`, once, with
    the model dense. All layers of a region lose the same share. `layers` limits what is cut, as
    patterns; a `normalizer` asks for word error rates too, which is slow. The model
    ends as it began, to the bit.
    """
    check_tried_method(method)
    grid = _checked(sparsities)
    weights = chosen_weights(checkpoint.model, layers)
    parts = regions(checkpoint.model, weights, by)
    exam = _Exam(checkpoint, held_out, normalizer, seed)
    heard: Mapping[str, Tensor] = {}
    shown = 0
    if method != "mp_local":
        if calibration is None:
            raise BadInput(f"{method} calibrates on speech: give it some that is not measured on.")
        heard = hessians(checkpoint, calibration, report=report)
        shown = len(fitting_clips(checkpoint, calibration))
    tell = _Steps(report, len(grid) * (len(weights) + len(parts)))
    rows = [
        _row(part, {name: weights[name] for name in names}, heard, method, grid, exam, tell)
        for part, names in parts.items()
    ]
    return Sensitivity(
        model=checkpoint.source,
        method=method,
        by=by,
        unit="token" if checkpoint.family == "whisper" else "frame",
        clips=exam.clips,
        answers=exam.answers,
        calibration_clips=shown,
        seed=seed,
        rows=tuple(rows),
        dense=exam.dense,
    )


def cut_weights(
    weight: Tensor, hessian: Tensor | Solver | None, method: str, sparsity: float
) -> Tensor:
    """A layer's weights with the share `sparsity` of them zero; those that were stay and count.

    OBS takes a Solver, Wanda the Hessian, magnitude pruning neither.
    """
    zeros = max(round(sparsity * weight.numel()), int((weight == 0).sum()))
    if zeros == weight.numel():
        return torch.zeros_like(weight)
    if zeros == int((weight == 0).sum()):
        return weight.clone()
    if isinstance(hessian, Solver):
        return hessian.solve(weight, cut_to_count(zeros)).weight
    if method == "wanda":
        assert hessian is not None
        ranked = zeros_first(scores.wanda(weight, hessian), weight)
        return weight.masked_fill(~lowest_by_row(ranked, zeros), 0)
    ranked = zeros_first(scores.magnitude(weight), weight)
    return weight.masked_fill(~lowest(ranked, zeros), 0)


def _checked(sparsities: Sequence[float]) -> tuple[float, ...]:
    for sparsity in sparsities:
        if not 0 <= sparsity <= 1:
            raise BadInput(f"sparsity {sparsity} is not between 0 and 1.")
    if not sparsities:
        raise BadInput("No sparsity is given: name at least one between 0 and 1.")
    return tuple(sorted(set(sparsities)))


def _row(
    part: str,
    weights: Mapping[str, Tensor],
    heard: Mapping[str, Tensor],
    method: str,
    grid: Sequence[float],
    exam: "_Exam",
    tell: "_Steps",
) -> Row:
    """One region at every sparsity; its weights are as before afterwards, to the bit."""
    cuts = _cuts(weights, heard, method, grid, tell)
    dense = {name: weight.clone() for name, weight in weights.items()}
    cells = []
    try:
        exam.start_at(next(iter(weights)))
        for column, sparsity in enumerate(grid):
            for name, weight in weights.items():
                weight.copy_(cuts[name][column])
            unchanged = all(torch.equal(weight, dense[name]) for name, weight in weights.items())
            cells.append(Cell(sparsity, *((0.0, exam.dense) if unchanged else exam.sit())))
            tell.step()
    finally:
        for name, weight in weights.items():
            weight.copy_(dense[name])
        exam.replay.stop()
    size = sum(weight.numel() for weight in weights.values())
    return Row(part, tuple(weights), size, tuple(cells))


def _cuts(
    weights: Mapping[str, Tensor],
    heard: Mapping[str, Tensor],
    method: str,
    grid: Sequence[float],
    tell: "_Steps",
) -> dict[str, list[Tensor]]:
    """What each layer becomes at each sparsity; layers with the same input share a Solver."""
    cuts: dict[str, list[Tensor]] = {}
    solvers = SharedSolver()
    for name, weight in weights.items():
        hessian: Tensor | Solver | None = heard.get(name)
        if method == "obs" and isinstance(hessian, Tensor):
            hessian = solvers.of(name, hessian)
        cuts[name] = []
        for sparsity in grid:
            cuts[name].append(cut_weights(weight, hessian, method, sparsity))
            tell.step()
    return cuts


class _Exam:
    """The held-out clips, what the dense model makes of them, and how far another is from that."""

    def __init__(self, checkpoint: Checkpoint, speech: Speech, normalizer: str | None, seed: int):
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
        answers = zip(self._answers(), self._taught, strict=True)
        nats = sum(
            float(F.kl_div(said, taught, reduction="sum", log_target=True))
            for said, taught in answers
        )
        return max(0.0, nats / self.answers), self._scored()

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


class _Steps:
    """Counts cuts and measurements together."""

    def __init__(self, report: Report | None, total: int):
        self._report, self._total, self._done = report, total, 0
        self._tell()

    def step(self) -> None:
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._report:
            self._report("cutting and listening", self._done, self._total)
