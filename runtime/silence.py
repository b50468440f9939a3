"""Whether there is anything to transcribe: a decoder asked about nothing makes something up."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Full scale is 1. A sound whose loudest 50 ms stay below -60 dBFS is inaudible.
INAUDIBLE = 1e-3

#: Speech comes and goes: its loudest 50 ms have over twice the power (3 dB) of its quiet moments,
#: and mostly a hundred times. Hiss, hum and a fan do not even reach 1.4 (1.5 dB).
SWELL = 2.0

#: The share of a sound that counts as its quiet moments.
_QUIET = 0.1

#: Half of a frame, in samples at 16 kHz: frames of 50 ms overlap by half.
_HALF_FRAME = 400


def is_inaudible(samples: Floats) -> bool:
    """Nothing, digital silence, or a noise too faint to be speech; a constant offset is none."""
    power = _power(samples - samples.mean()) if len(samples) else samples
    return not power.max(initial=0.0) >= INAUDIBLE**2


def is_silent(samples: Floats) -> bool:
    """Whether a sound is inaudible, or as steady as no speech is, however loud."""
    if is_inaudible(samples):
        return True
    power = _power(np.diff(samples))  # hum and rumble count less than what carries words
    sounding = power[power > 0]
    if len(sounding) == 0:
        return True
    rank = int(_QUIET * (len(sounding) - 1))  # np.quantile would import a megabyte for this
    return bool(sounding.max() < SWELL * np.partition(sounding, rank)[rank])


def _power(samples: Floats) -> Floats:
    """Mean square of every frame; what is shorter than one is a frame."""
    halves = len(samples) // _HALF_FRAME
    if halves < 2:
        return np.atleast_1d(np.square(samples).mean())
    energy = np.square(samples[: halves * _HALF_FRAME]).reshape(halves, _HALF_FRAME).mean(axis=1)
    power: Floats = (energy[1:] + energy[:-1]) / 2
    return power
