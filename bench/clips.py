"""A corpus' clips as files, the form in which a measuring process or a device can take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.agent.job import ClipFile
from speech.audio import RATE
from speech.corpora.corpus import Clip


def clip_files(clips: Iterable[Clip], folder: Path) -> Iterator[ClipFile]:
    """The clips' own files where they have them; else WAV files, sample for sample, in `folder`."""
    for index, clip in enumerate(clips):
        if isinstance(clip.audio, Path):
            file = clip.audio.resolve()
        else:
            file = _written(clip, folder / f"{index:05}.wav")
        yield ClipFile(file, clip.text, name=clip.name)


def _written(clip: Clip, path: Path) -> Path:
    import soundfile  # Imported here: most corpora are files already.

    soundfile.write(path, clip.samples(), RATE, subtype="FLOAT")
    return path
