"""The same speech made to sound different, so that few clips teach more: torchaudio's transforms.

They draw from torch's global generator: the caller seeds it.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prune import cpu_torchaudio
from speech.audio import RATE

Floats = NDArray[np.float32]

SPEEDS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.25)

#: How far formants move at most, as a share: about what lies between a child and a bass.
VOICES = 0.12

#: The most that is hidden, as shares of the mels and of the frames with speech.
HIDDEN_MELS = 0.15
HIDDEN_FRAMES = 0.08


def at_another_speed(samples: Floats) -> Floats:
    """The clip at one of SPEEDS; pitch changes with it, as on a record player."""
    changed, _ = _speed_perturbation()(torch.from_numpy(samples))
    played: Floats = changed.numpy()
    return played


def in_another_voice(mel: Tensor) -> Tensor:
    """The mels drawn out or pushed together, as a shorter or longer vocal tract would (VTLP)."""
    mels = mel.shape[0]
    factor = 1 + VOICES * (2 * torch.rand(()) - 1)
    place = (torch.arange(mels) * factor).clamp(max=mels - 1)
    below = place.long()
    above = (below + 1).clamp(max=mels - 1)
    return torch.lerp(mel[below], mel[above], (place - below)[:, None])


def with_patches_hidden(mel: Tensor, frames: int) -> Tensor:
    """SpecAugment: one band of mels and one stretch of the first `frames` frames, at the mean.

    `mel` has shape (mels, frames of the window); only `frames` of them hold speech.
    """
    spoken, silence = mel[:, :frames], mel[:, frames:]
    mean = float(spoken.mean())
    by_frequency, by_time = _masking(
        max(1, round(HIDDEN_MELS * mel.shape[0])), max(1, round(HIDDEN_FRAMES * frames))
    )
    return torch.cat([by_time(by_frequency(spoken, mean), mean), silence], dim=1)


@cache
def _speed_perturbation() -> Any:
    cpu_torchaudio.allow_import()
    from torchaudio.transforms import SpeedPerturbation

    return SpeedPerturbation(RATE, list(SPEEDS))


@cache
def _masking(mels: int, frames: int) -> tuple[Any, Any]:
    """They hide at most so many; torchaudio's own limit is one that is not reached."""
    cpu_torchaudio.allow_import()
    from torchaudio.transforms import FrequencyMasking, TimeMasking

    return FrequencyMasking(mels + 1), TimeMasking(frames + 1)
