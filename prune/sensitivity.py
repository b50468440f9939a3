"""Which parts of a model can bear cutting: one part at a time is cut, the rest stays dense."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from prune import scores
from prune.allocation.masks import lowest, lowest_by_row, zeros_first
from prune.checkpoint import Checkpoint
from prune.damage import SPARSITIES, By, Cell, Row, Sensitivity, check_tried_method
from prune.exam import Exam
from prune.families.regions import regions
from prune.families.selection import chosen_weights
from prune.forcing import Report, Speech, fitting_clips
from prune.solve import SharedSolver, Solver, cut_to_count
from prune.statistics import hessians
from speech.errors import BadInput


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
    exam = Exam(checkpoint, held_out, normalizer, seed)
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
    exam: Exam,
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
