"""A whole fine-tuning: step after step, a look at the held-out clips now and then, the best kept.

Every step is seeded by itself, so a run that was killed resumes from its last snapshot and comes to
the same end: on the CPU to the last bit, on a GPU as far as its kernels are deterministic.
"""

import math
import time
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

#: Is told what is under way, how much of it is done, and of how much.
Report = Callable[[str, int, int], None]

#: Seconds of training that a run which is killed may lose, beside the look it was in; more where
#: the snapshot is so large that writing it would take more than this share of the time.
SAVE_SECONDS, _SAVE_SHARE = 60.0, 0.05

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
    report: Report | None = None,
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
        _Training(trainer, run, lesson.held_out, resume, report).go_on()
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
    return _Run(mark, trainer.weights(), 0, [])


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


class _Training:
    """Steps, looks and snapshots, from wherever a run has come to."""

    def __init__(
        self,
        trainer: Trainer,
        run: _Run,
        held_out: Sequence[Example],
        resume: Path | None,
        report: Report | None,
    ):
        self._trainer, self._run, self._held_out = trainer, run, held_out
        self._resume = resume if trainer.team.rank == 0 else None
        self._report = report or (lambda label, done, total: None)
        #: When the last snapshot was there, and how long it took to write.
        self._saved, self._cost = time.monotonic(), 0.0

    def go_on(self) -> None:
        run, plan = self._run, self._trainer.plan
        self._report("fine-tuning", run.step, plan.steps)
        while True:
            if self._is_look_due():
                self._look()
                self._save()
            if run.stopped or run.step >= plan.steps:
                return
            loss = self._trainer.step(run.step)
            run.step += 1
            if loss is None:
                run.stopped = f"diverged: the loss was no number at step {run.step}"
            elif time.monotonic() - self._saved > max(SAVE_SECONDS, self._cost / _SAVE_SHARE):
                self._save()
            said = "" if loss is None else f" (loss {loss:.3g})"
            self._report(f"fine-tuning{said}", run.step, plan.steps)

    def _is_look_due(self) -> bool:
        run, plan = self._run, self._trainer.plan
        if run.stopped or (run.held_out and run.held_out[-1][0] == run.step):
            return False
        return run.step % plan.check_every == 0 or run.step == plan.steps

    def _look(self) -> None:
        """Judge the weights, keep them if they are the best, and say whether to go on."""
        trainer, run, total = self._trainer, self._run, len(self._held_out)

        def looking(done: int) -> None:
            self._report("held-out clips", done, total)

        loss, plan = trainer.loss_on(self._held_out, looking), trainer.plan
        run.held_out.append((run.step, loss))
        first = run.held_out[0][1]
        if run.step == 0:
            if not math.isfinite(loss):
                run.stopped = "diverged: the held-out loss was no number before the first step"
        elif not math.isfinite(loss) or loss > _EXPLODED * first + 1:
            run.stopped = (
                f"diverged: the held-out loss went from {first:.3g} to {loss:.3g} "
                f"by step {run.step}"
            )
        elif loss < run.best_loss:
            run.best, run.best_step = trainer.weights(), run.step
        elif run.looks_since_best >= plan.patience and run.step < plan.steps:
            run.stopped = "no longer improving"

    def _save(self) -> None:
        if self._resume is None:
            return
        run, begun = self._run, time.monotonic()
        write_snapshot(
            self._resume,
            {
                "fingerprint": run.mark,
                "trainer": self._trainer.state_dict(),
                "best": run.best,
                "best_step": run.best_step,
                "held_out": run.held_out,
                "step": run.step,
                "stopped": run.stopped,
            },
        )
        self._saved = time.monotonic()
        self._cost = self._saved - begun
