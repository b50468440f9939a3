"""Playing clips to a model with their texts: what calibration and sensitivity listen to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.learning.losses import task_for
from speech.errors import BadInput

Floats = NDArray[np.float32]

#: What is going on, how much of it is done, and of how much: the engine's only way to speak.
Report = Callable[[str, int, int], None]


class Speech(Protocol):
    """Clips at 16 kHz with their texts; may be gone through again and again, read from disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Floats, str]: ...


@dataclass(frozen=True)
class Forced:
    """One clip, ready for the model: `model(**inputs)`."""

    inputs: dict[str, Any]
    #: Encoder frames that hold sound; those after them only fill up a Whisper window.
    real_frames: int | None


Force = Callable[[Floats, str], Forced | None]


def forcing(checkpoint: Checkpoint) -> Force:
    """Makes clips ready: Whisper's decoder is fed the text, whatever it would have said itself.

    None for a clip that is longer than the window: its text belongs to more than one of them.
    """
    task, device = task_for(checkpoint), checkpoint.model.device
    only_for_whisper = {"use_cache": False} if checkpoint.family == "whisper" else {}

    def force(samples: Floats, text: str) -> Forced | None:
        example = task.example(samples, text)
        if not task.fits(example):
            return None
        batch = task.batch([example])
        given = {name: tensor.to(device) for name, tensor in batch.given.items()}
        # Whisper's second convolution halves the frames of the mel.
        real_frames = -(-batch.frames[0] // 2) if only_for_whisper else None
        return Forced(given | only_for_whisper, real_frames)

    return force


def fitting_clips(checkpoint: Checkpoint, speech: Speech) -> list[int]:
    """Which clips fit the model's window; raises if none does or if all are silent."""
    task = task_for(checkpoint)
    fitting, loud = [], False
    for index in range(len(speech)):
        samples, text = speech[index]
        if task.fits(task.example(samples, text)):
            fitting.append(index)
            loud = loud or bool(np.ptp(samples) > 0)
    if not fitting:
        raise BadInput(
            "There is no clip to calibrate on that fits the model's window: "
            "name a corpus with shorter clips."
        )
    if not loud:
        raise BadInput("Every clip to calibrate on is silent: name a corpus with speech in it.")
    return fitting


def logits_of(model: Any, forced: Forced) -> Tensor:
    """One row a token of the text (Whisper), or one a frame (CTC)."""
    answer: Tensor = model(**forced.inputs).logits[0]
    return answer


def drawn(logits: Tensor, generator: torch.Generator) -> Tensor:
    """A token for every row, by the model's own odds."""
    odds = logits.detach().float().softmax(-1).cpu()
    return torch.multinomial(odds, 1, generator=generator)[:, 0].to(logits.device)
