"""Noise that stands for speech where only the mechanics matter."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from speech.audio import RATE

Spoken = list[tuple[np.ndarray, str]]

TEXT = "turn on the lights"


def noise(*seconds: float, seed: int = 0) -> Spoken:
    """A clip of each length, with a text."""
    rng = np.random.default_rng(seed)
    clips = [rng.standard_normal(int(length * RATE)) / 5 for length in seconds]
    return [(clip.astype(np.float32), TEXT) for clip in clips]


def write_noise(folder: Path, seconds: Sequence[float], kind: str = "wav") -> Path:
    """A corpus of such clips, as folders of clips come: audio files and metadata.jsonl."""
    folder.mkdir()
    lines = []
    for number, (samples, text) in enumerate(noise(*seconds)):
        soundfile.write(folder / f"{number}.{kind}", samples, RATE)
        lines.append(json.dumps({"file_name": f"{number}.{kind}", "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder
