"""Real sound files, small enough to write by the dozen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

WriteTone = Callable[..., Path]


@pytest.fixture
def write_tone() -> WriteTone:
    """Writes a tenth of a second of a tone whose loudness tells files apart."""

    def write(path: Path, loudness: float = 0.5, **options: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = loudness * np.sin(2 * np.pi * 440 * np.arange(1_600) / 16_000)
        soundfile.write(path, wave.astype(np.float32), 16_000, **options)
        return path

    return write
