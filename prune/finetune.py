"""Training after cutting: a pruned model learns to do without what it lost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from prune.checkpoint import Checkpoint
from prune.learning.lesson import Lesson, Report, learn
from prune.learning.losses import Example, Task, task_for
from prune.learning.several_gpus import learn_on_several
from prune.learning.trainer import Masks
from prune.training_plan import MOST_HELD_OUT, FineTuning, Outcome
from speech.errors import BadInput

__all__ = ["FineTuning", "Outcome", "finetune"]

Floats = NDArray[np.float32]


def finetune(
    checkpoint: Checkpoint,
    spoken: Sequence[tuple[Floats, str]],
    plan: FineTuning,
    *,
    masks: Masks | None = None,
    teacher: nn.Module | None = None,
    compared: Sequence[int] | None = None,
    resume: Path | None = None,
    report: Report | None = None,
    processes: int = 1,
) -> Outcome:
    """Train the checkpoint's model in place on 16 kHz clips with their texts; it ends as its best.

    `masks` say by name of a layer which weights are kept (True): the others stay exactly 0. Without
    masks zeros are weights like any other. `teacher` is the dense model, for a plan that distils;
    `compared` says which of its blocks each of the model's is compared with, if it lost some.
    `resume` is a file to resume from, written every minute or so and after every look at the
    held-out clips; the caller deletes it. `report` gets what is under way, how much of it is done,
    and of how much: steps, with the loss in brackets, and held-out clips. `processes` share each
    batch, every one on a GPU of its own, or all on the CPU if the model is there; what comes out
    differs by chance and rounding alone. They begin by importing the script that calls this, which
    must bear that (`if __name__ == "__main__":`).
    """
    if processes < 1:
        raise BadInput(f"Fine-tuning: processes = {processes} must be at least 1.")
    if plan.distils and teacher is None:
        raise BadInput(
            "Fine-tuning: distil_logits and distil_states need a teacher: give the dense model, "
            "or set both to 0."
        )
    learnt, held_out = _split(task_for(checkpoint), spoken, plan)
    lesson = Lesson(plan, learnt, held_out, masks or {}, compared)
    teacher = teacher if plan.distils else None
    if processes == 1:
        outcome, best = learn(checkpoint, teacher, lesson, resume=resume, report=report)
    else:
        outcome, best = learn_on_several(
            processes, checkpoint, teacher, lesson, resume=resume, report=report
        )
    checkpoint.model.load_state_dict(best)
    return outcome


def _split(
    task: Task, spoken: Sequence[tuple[Floats, str]], plan: FineTuning
) -> tuple[list[Example], list[Example]]:
    """Clips to learn from and clips to be judged on, by the plan's seed."""
    if not spoken:
        raise BadInput("There is no speech to fine-tune on: name a corpus with clips and texts.")
    examples = [task.example(samples, text) for samples, text in spoken]
    fitting = [example for example in examples if task.fits(example)]
    if len(fitting) < 2:
        raise BadInput(
            f"Only {len(fitting)} of {len(spoken)} clips can be fine-tuned on, and it takes two: "
            "give clips no longer than the model's window and no shorter than their texts."
        )
    share = round(plan.held_out * len(fitting))
    count = min(len(fitting) - 1, max(1, min(share, MOST_HELD_OUT)))
    order = np.random.default_rng((plan.seed, 0)).permutation(len(fitting))
    shuffled = [fitting[i] for i in order]
    return shuffled[count:], shuffled[:count]
