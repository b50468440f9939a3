"""A whole fine-tuning: step after step, a look at the held-out clips now and then, the best kept.

Every step is seeded by itself, so a run that was killed goes on from its last snapshot to the same
end: on the CPU to the last bit, on a GPU as far as its kernels are deterministic.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.learning.losses import Example, task_for
from prune.learning.team import ALONE, Team
from prune.learning.trainer import Masks, Teacher, Trainer, weights_to_hold
from prune.snapshot import fingerprint, read_snapshot, write_snapshot
from prune.training_plan import FineTuning, Outcome

Weights = dict[str, Tensor]

#: A held-out loss beyond so many times the first, and one nat, will not come down again.
_EXPLODED = 2.0


@dataclass(frozen=True)
class Lesson:
    """What to learn, but not from whom."""

    plan: FineTuning
    learnt: Sequence[Example]
    held_out: Sequence[Example]
    #: By name of a layer which weights are kept; the others stay exactly 0.
    masks: Masks
    #: Which of the teacher's blocks each of the model's is compared with, if it lost some.
    compared: Sequence[int] | None = None


def learn(
    checkpoint: Checkpoint,
    teacher: nn.Module | None,
    lesson: Lesson,
    *,
    team: Team = ALONE,
    resume: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Outcome, Weights]:
    """Train the model in place; gives the best weights there were, which it need not have now.

    All processes of a `team` call this with the same lesson; the first one writes what is resumed.
    """
    task = task_for(checkpoint)
    held = weights_to_hold(checkpoint.model, lesson.masks)
    taught = Teacher(task, teacher, lesson.compared) if teacher and lesson.plan.distils else None
    trainer = Trainer(checkpoint.model, task, lesson.plan, lesson.learnt, held, taught, team)
    try:
        run = _started(trainer, lesson.held_out, resume)
        _go_on(trainer, run, lesson.held_out, resume, progress)
    finally:
        trainer.model.eval()
    outcome = Outcome(run.step, run.best_step, tuple(run.held_out), run.stopped or "finished")
    return outcome, run.best


@dataclass
class _Run:
    """How far training has come, and the best there was."""

    mark: str
    best: Weights
    best_step: int
    held_out: list[tuple[int, float]]
    step: int = 0
    stopped: str = ""

    @property
    def best_loss(self) -> float:
        return dict(self.held_out)[self.best_step]

    @property
    def looks_since_best(self) -> int:
        return sum(step > self.best_step for step, _ in self.held_out)


def _started(trainer: Trainer, held_out: Sequence[Example], resume: Path | None) -> _Run:
    """From the snapshot, which also sets the trainer; else from the model as it was given."""
    mark = _mark(trainer, held_out) if resume else ""
    saved = read_snapshot(resume, mark, trainer.device) if resume else None
    if saved:
        trainer.load_state_dict(saved.pop("trainer"))
        looks = [(step, loss) for step, loss in saved.pop("held_out")]
        return _Run(mark=saved.pop("fingerprint"), held_out=looks, **saved)
    first = trainer.loss_on(held_out)
    run = _Run(mark, trainer.weights(), 0, [(0, first)])
    if not math.isfinite(first):
        run.stopped = "diverged: the held-out loss was no number before the first step"
    return run


def _mark(trainer: Trainer, held_out: Sequence[Example]) -> str:
    """Of all but the number of processes, with another one of which a run may go on."""
    examples = [*trainer.learnt, *held_out]
    return fingerprint(
        trainer.plan,
        [example.tokens for example in examples],
        tensors=[
            trainer.model.state_dict(),
            trainer.teacher.model.state_dict() if trainer.teacher else {},
            {name: cut for name, (_, cut) in trainer.held.items()},
        ],
        sounds=[example.samples for example in examples],
    )


def _go_on(
    trainer: Trainer,
    run: _Run,
    held_out: Sequence[Example],
    resume: Path | None,
    progress: Callable[[int], None] | None,
) -> None:
    plan = trainer.plan
    while run.step < plan.steps and not run.stopped:
        learnt = trainer.step(run.step)
        run.step += 1
        if not learnt:
            run.stopped = f"diverged: the loss was no number at step {run.step}"
        elif run.step % plan.check_every == 0 or run.step == plan.steps:
            _look(trainer, run, held_out)
            if resume and trainer.team.rank == 0:
                _save(trainer, run, resume)
        if progress:
            progress(run.step)


def _look(trainer: Trainer, run: _Run, held_out: Sequence[Example]) -> None:
    """Judge the weights, keep them if they are the best, and say whether to go on."""
    loss, plan = trainer.loss_on(held_out), trainer.plan
    run.held_out.append((run.step, loss))
    first = run.held_out[0][1]
    if not math.isfinite(loss) or loss > _EXPLODED * first + 1:
        run.stopped = (
            f"diverged: the held-out loss went from {first:.3g} to {loss:.3g} by step {run.step}"
        )
    elif loss < run.best_loss:
        run.best, run.best_step = trainer.weights(), run.step
    elif run.looks_since_best >= plan.patience and run.step < plan.steps:
        run.stopped = "no longer improving"


def _save(trainer: Trainer, run: _Run, resume: Path) -> None:
    write_snapshot(
        resume,
        {
            "fingerprint": run.mark,
            "trainer": trainer.state_dict(),
            "best": run.best,
            "best_step": run.best_step,
            "held_out": run.held_out,
            "step": run.step,
            "stopped": run.stopped,
        },
    )
