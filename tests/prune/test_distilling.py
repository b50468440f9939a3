"""A teacher draws the model to itself, is left as it was, and must be like the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.finetune import finetune
from prune.learning.losses import distance, divergence, task_for
from speech.errors import BadInput
from tests.prune.lessons import BRIEF, cut, noise, same, weights


@pytest.mark.parametrize("family", ["whisper", "sew"])
def test_distilling_brings_the_model_closer_to_its_teacher(
    tiny_folders: dict[str, Path], family: str
) -> None:
    teacher = open_checkpoint(str(tiny_folders[family]))
    before = weights(teacher)

    def apart(checkpoint: Checkpoint) -> tuple[float, float]:
        """In logits and in what the blocks give, on a clip that was learnt from."""
        task = task_for(checkpoint)
        batch = task.batch([task.example(*noise(1)[0])])
        with torch.no_grad():
            said = task.answer(checkpoint.model, batch)
            taught = task.answer(teacher.model, batch)
            return float(divergence(said, taught, 1.0)), float(distance(said, taught))

    def apart_after(steps: int, **weight: Any) -> tuple[float, float]:
        checkpoint = open_checkpoint(str(tiny_folders[family]))
        masks = cut(checkpoint, 0.5)
        plan = replace(BRIEF, rate=3e-3, spec_augment=False, speed=False, voices=False, **weight)
        if steps:
            plan = replace(plan, steps=steps, patience=99)
            finetune(checkpoint, noise(), plan, masks=masks, teacher=teacher.model)
        return apart(checkpoint)

    assert apart(teacher) == pytest.approx((0, 0), abs=1e-6)
    start = apart_after(0)
    assert apart_after(30, distil_logits=10.0)[0] < 0.9 * start[0]
    assert apart_after(30, distil_states=10.0)[1] < 0.9 * start[1]
    assert same(weights(teacher), before), "the teacher was taught"


def test_a_teacher_of_another_shape_is_refused(
    tiny_whisper: Checkpoint, tiny_multilingual: Checkpoint
) -> None:
    plan = replace(BRIEF, distil_logits=1.0)
    with pytest.raises(BadInput, match=r"teacher's logits .* cannot be compared"):
        finetune(tiny_whisper, noise(), plan, teacher=tiny_multilingual.model)


def test_distilling_needs_a_teacher(tiny_sew: Checkpoint) -> None:
    with pytest.raises(BadInput, match="need a teacher"):
        finetune(tiny_sew, noise(), replace(BRIEF, distil_states=1.0))
