"""What the models hear: Whisper's log-mel spectrogram and wav2vec 2.0's unit waveform, in numpy.

Both give what transformers' feature extractors give (tests hold the log-mel to 1e-4 and the
waveform to 1e-6), without importing transformers, so that the same code runs on the workstation
and on the device.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from speech.audio import Floats
from speech.errors import BadInput
from speech.feature_settings import LogMelSettings
from speech.pauses import cut_at_pauses

#: Frames transformed at a time: their spectra stay in the second-level cache of a small board.
_BLOCK = 128


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    linear = hz * 3 / 200
    logarithmic = 15 + np.log(np.maximum(hz, 1e-9) / 1000) * 27 / np.log(6.4)
    return np.where(hz >= 1000, logarithmic, linear)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel >= 15, 1000 * np.exp((mel - 15) * np.log(6.4) / 27), mel * 200 / 3)


@lru_cache(maxsize=8)
def mel_filters(n_mels: int, n_fft: int, rate: int) -> Floats:
    """Triangular filters of equal area, shape (n_fft // 2 + 1, n_mels), 0 Hz to 8 kHz."""
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    low, high = _hz_to_mel(np.array([0.0, 8000.0]))
    edges = _mel_to_hz(np.linspace(low, high, n_mels + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))
    return filters.astype(np.float32)


@dataclass(frozen=True)
class LogMel(LogMelSettings):
    """Whisper's features, computed."""

    def windows(self, samples: Floats) -> list[Floats]:
        """The clip, or the pieces of at most a window that it is cut into, where it is quietest."""
        return cut_at_pauses(samples, self.window_samples)

    @cached_property
    def _hann(self) -> Floats:
        return np.hanning(self.n_fft + 1)[:-1].astype(np.float32)

    def __call__(self, samples: Floats, *, pad: bool = True) -> Floats:
        """Log-mel of shape (n_mels, frames), scaled as Whisper expects, of 16 kHz mono samples.

        `pad` fills or cuts to the window; without it the features keep the clip's own length.
        """
        length = self.window_samples if pad else len(samples)
        samples, count = samples[:length], length // self.hop
        if count == 0:
            raise BadInput(
                f"A clip of {len(samples)} samples is shorter than one frame of {self.hop}; "
                "pad it to the window or leave it out."
            )
        # Where nothing but silence follows every frame is like the next.
        heard = min(length, len(samples) + self.n_fft)
        padded = _mirrored(samples, heard, self.n_fft // 2, is_all=heard == length)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop][:count]
        filters = mel_filters(self.n_mels, self.n_fft, self.rate)
        mel = np.zeros((count, self.n_mels), np.float32)
        # The same memory for every block: fresh pages would take longer than what is done in them.
        windowed = np.empty((_BLOCK, self.n_fft), np.float32)
        spectra = np.empty((_BLOCK, self.n_fft // 2 + 1), np.complex64)
        powers = np.empty(spectra.shape, np.float32)
        for start in range(0, len(frames), _BLOCK):
            part = frames[start : start + _BLOCK]
            spectrum, power = spectra[: len(part)], powers[: len(part)]
            faded = np.multiply(part, self._hann, out=windowed[: len(part)])
            np.fft.rfft(faded, out=spectrum)  # type: ignore[arg-type]  # it takes complex64 too
            np.square(spectrum.real, out=power)
            power += np.square(spectrum.imag, out=spectrum.imag)
            np.matmul(power, filters, out=mel[start : start + len(part)])
        np.log10(np.maximum(mel, 1e-10, out=mel), out=mel)
        np.maximum(mel, mel.max() - 8, out=mel)
        mel += 4
        mel /= 4
        return np.ascontiguousarray(mel.T)


def _mirrored(samples: Floats, length: int, edge: int, *, is_all: bool) -> Floats:
    """Filled up with silence to the length, and continued by its mirror image at both ends; where
    that is not all of it, by more silence. As two calls of `np.pad`, with one copy."""
    if length <= edge:  # the image has an image
        return np.pad(np.pad(samples, (0, length - len(samples))), edge, mode="reflect")
    padded = np.zeros(length + 2 * edge, np.float32)
    padded[edge : edge + len(samples)] = samples
    padded[:edge] = padded[edge + 1 : 2 * edge + 1][::-1]
    if is_all:
        padded[length + edge :] = padded[length - 1 : length + edge - 1][::-1]
    return padded


def normalise_waveform(samples: Floats) -> Floats:
    """Zero mean and unit variance, as Wav2Vec2FeatureExtractor's `do_normalize` makes one clip."""
    centred = samples - samples.mean()
    normalised: Floats = centred / np.sqrt(samples.var() + np.float32(1e-7))
    return normalised
