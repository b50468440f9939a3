"""What features a model wants, checked without numpy: whoever opens a bundle asks first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from speech.errors import BadInput
from speech.rate import RATE
from speech.records import shortened

#: The names Whisper's feature settings go by in `preprocessor_config.json`.
KEYS = {
    "n_mels": "feature_size",
    "n_fft": "n_fft",
    "hop": "hop_length",
    "rate": "sampling_rate",
    "window_seconds": "chunk_length",
}

#: Whisper has 400 samples a frame and at most 128 bands; the table of filters grows with both.
_MOST_FFT, _MOST_MELS = 1 << 14, 512

#: Samples; Whisper has 160, a hundred frames a second.
_LEAST_HOP = 16

#: Of one window: 64 MiB, and seventy times what Whisper's windows of 30 s have.
_MOST_VALUES = 1 << 24


@dataclass(frozen=True)
class LogMelSettings:
    """Whisper's features for one `preprocessor_config.json`. Impossible settings are BadInput.

    `dither` is left out on purpose: random noise in the input would make no two runs alike.
    """

    n_mels: int = 80
    n_fft: int = 400
    hop: int = 160
    rate: int = RATE
    window_seconds: float = 30

    def __post_init__(self) -> None:
        for name in ("n_mels", "n_fft", "hop", "rate"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise _impossible(name, value, "must be a whole number above 0")
        if type(self.window_seconds) not in (int, float) or not 0 < self.window_seconds <= 3600:
            raise _impossible("window_seconds", self.window_seconds, "must be 0 to 3600 seconds")
        if self.rate != RATE:
            raise _impossible("rate", self.rate, f"must be {RATE}, the rate all audio is read at")
        if self.n_fft % 2 or self.n_fft > self.window_samples:
            raise _impossible("n_fft", self.n_fft, "must be even and fit in the window")
        if self.n_fft > _MOST_FFT:
            raise _impossible("n_fft", self.n_fft, f"must be at most {_MOST_FFT} samples")
        if self.hop > self.n_fft:
            raise _impossible("hop", self.hop, f"must not be longer than n_fft ({self.n_fft})")
        most = min(_MOST_MELS, self.n_fft // 2 + 1)
        if self.n_mels > most:
            raise _impossible(
                "n_mels", self.n_mels, f"must be at most {most}, with {self.n_fft} for n_fft"
            )
        if self.hop < _LEAST_HOP:
            raise _impossible("hop", self.hop, f"must be at least {_LEAST_HOP} samples")
        values = self.window_samples // self.hop * self.n_mels
        if values > _MOST_VALUES:
            rule = f"makes windows of {values} values, and {_MOST_VALUES} is the limit"
            raise _impossible("window_seconds", self.window_seconds, rule)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """From the keys of `preprocessor_config.json` (missing ones have Whisper's defaults)."""
        kind = config.get("feature_extractor_type", "WhisperFeatureExtractor")
        if kind != "WhisperFeatureExtractor":
            raise BadInput(
                f"preprocessor_config.json: feature_extractor_type is {shortened(kind)}, but "
                "log-mel features need 'WhisperFeatureExtractor'; check that the model is a "
                "Whisper one."
            )
        if config.get("padding_value", 0.0) != 0:
            raise BadInput(
                f"preprocessor_config.json: padding_value is {shortened(config['padding_value'])}, "
                "but Whisper's windows are filled with silence; set it to 0.0."
            )
        return cls(**{name: config[key] for name, key in KEYS.items() if key in config})

    @property
    def window_samples(self) -> int:
        return int(self.window_seconds * self.rate)


@dataclass(frozen=True)
class WaveformSettings:
    """What SEW and wav2vec 2.0 are given: the sound itself."""

    #: Whether each clip is brought to zero mean and unit variance.
    normalise: bool = True

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """From the keys of `preprocessor_config.json`."""
        rate, normalise = config.get("sampling_rate", RATE), config.get("do_normalize", True)
        if rate != RATE:
            raise BadInput(
                f"Feature setting sampling_rate = {shortened(rate)} must be {RATE}, the rate all "
                "audio is read at."
            )
        if type(normalise) is not bool:
            raise BadInput(
                f"Feature setting do_normalize = {shortened(normalise)} must be true or false."
            )
        return cls(normalise)


def _impossible(name: str, value: object, rule: str) -> BadInput:
    return BadInput(f"Feature setting {KEYS[name]} = {shortened(value)} {rule}.")
