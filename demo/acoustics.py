"""Rooms, microphones and noise, so that the demo clips are not studio-clean."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000


def _fast_size(n: int) -> int:
    """A transform length that costs little: arbitrary ones can be ten times slower."""
    return 1 << (n - 1).bit_length()


def coloured_noise(n: int, slope: float, rng: np.random.Generator) -> Samples:
    """Noise with power falling as 1/f**slope (0 white, 1 pink, 2 brown), unit variance."""
    spectrum = np.fft.rfft(rng.standard_normal(_fast_size(n), np.float32))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum)[:n]
    return (noise / (noise.std() + 1e-9)).astype(np.float32)


def room(samples: Samples, rng: np.random.Generator) -> Samples:
    """Reverberate: direct path plus an exponential tail, 60 dB down after 0.1 to 0.4 s."""
    seconds = rng.uniform(0.1, 0.4)
    t = np.arange(int(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / seconds)
    tail *= rng.uniform(0.1, 0.6) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    tail = tail.astype(np.float32)
    size = _fast_size(len(samples) + len(tail))
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return wet[: len(samples)].astype(np.float32)


def tilt(samples: Samples, rng: np.random.Generator) -> Samples:
    """A cheap microphone: tilt the spectrum by up to 6 dB either way."""
    spectrum = np.fft.rfft(samples, _fast_size(len(samples)))
    frequency = np.linspace(-1, 1, len(spectrum), dtype=np.float32)
    spectrum *= 10 ** (np.float32(rng.uniform(-6, 6)) * frequency / 20)
    return np.fft.irfft(spectrum)[: len(samples)].astype(np.float32)


def record(spoken: Samples, rng: np.random.Generator, *, seconds: float | None = None) -> Samples:
    """The utterance as a far microphone hears it, somewhere in a clip of `seconds`.

    Without `seconds` the clip is as long as the speech plus 0.1 to 0.3 s at both ends.
    """
    if rng.random() < 0.6:
        spoken = room(spoken, rng)
    if rng.random() < 0.5:
        spoken = tilt(spoken, rng)
    if seconds is None:
        before, after = (rng.uniform(0.1, 0.3, 2) * RATE).astype(int)
    else:
        spare = max(0, int(seconds * RATE) - len(spoken))
        before = int(rng.uniform(0.2, 0.8) * spare)
        after = spare - before
    clip = np.pad(spoken, (int(before), int(after)))
    level = np.sqrt((spoken**2).mean()) * 10 ** (-rng.uniform(15, 38) / 20)
    clip += level * coloured_noise(len(clip), rng.choice([0.0, 1.0, 2.0]), rng)
    clip *= rng.uniform(0.05, 0.4) / np.abs(clip).max()
    return clip.astype(np.float32)
