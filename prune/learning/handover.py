"""A fine-tuning on the disk for a while: how other processes get the models and what to learn.

Nothing large goes through a pipe, and the sounds are in memory once, however many listen to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.learning.lesson import Lesson
from prune.learning.losses import Example
from prune.training_plan import FineTuning

_MODEL, _TEACHER, _MASKS, _SOUNDS = "model", "teacher", "masks.safetensors", "sounds.f32"

#: A clip's samples, counted, and its tokens.
_Clip = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Handover:
    folder: Path
    has_teacher: bool
    plan: FineTuning
    learnt: tuple[_Clip, ...]
    held_out: tuple[_Clip, ...]
    #: Names of layers, in their order.
    masked: tuple[str, ...]
    compared: tuple[int, ...] | None


def left(
    folder: Path, checkpoint: Checkpoint, teacher: nn.Module | None, lesson: Lesson
) -> Handover:
    folder.mkdir()
    checkpoint.save(folder / _MODEL)
    if teacher:
        replace(checkpoint, model=teacher).save(folder / _TEACHER)
    masks = {name: keep.cpu().contiguous() for name, keep in lesson.masks.items()}
    save_file(masks, folder / _MASKS)
    with (folder / _SOUNDS).open("wb") as file:
        for example in [*lesson.learnt, *lesson.held_out]:
            file.write(np.ascontiguousarray(example.samples, np.float32).data)
    return Handover(
        folder,
        teacher is not None,
        lesson.plan,
        tuple(_clips(lesson.learnt)),
        tuple(_clips(lesson.held_out)),
        tuple(masks),
        None if lesson.compared is None else tuple(lesson.compared),
    )


def _clips(examples: Sequence[Example]) -> Iterator[_Clip]:
    for example in examples:
        yield len(example.samples), example.tokens


def taken(handover: Handover, device: torch.device) -> tuple[Checkpoint, nn.Module | None, Lesson]:
    """The files may go once this is done."""
    checkpoint, teacher = _opened(handover.folder / _MODEL, device), None
    if handover.has_teacher:
        teacher = _opened(handover.folder / _TEACHER, device).model
    found: dict[str, Tensor] = load_file(handover.folder / _MASKS)
    masks = {name: found[name] for name in handover.masked}
    # Pages that nobody writes to are the same for all processes.
    sounds = np.memmap(handover.folder / _SOUNDS, np.float32, mode="c")
    clips = [*handover.learnt, *handover.held_out]
    ends = np.cumsum([count for count, _ in clips])
    examples = [
        Example(np.asarray(sounds[end - count : end]), tokens)
        for end, (count, tokens) in zip(ends.tolist(), clips, strict=True)
    ]
    middle = len(handover.learnt)
    lesson = Lesson(handover.plan, examples[:middle], examples[middle:], masks, handover.compared)
    return checkpoint, teacher, lesson


def _opened(folder: Path, device: torch.device) -> Checkpoint:
    checkpoint = open_checkpoint(str(folder))
    checkpoint.model.to(device)
    return checkpoint
