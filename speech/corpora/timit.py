"""TIMIT folders: TRAIN|TEST/region/speaker/*.WAV beside *.TXT files of "start end sentence"."""

import re
from collections.abc import Iterator
from pathlib import Path

from speech.corpora.corpus import Clip, Corpus, absent_split, checked_corpus
from speech.errors import BadInput

_SENTENCE = re.compile(r"\s*\d+\s+\d+\s+(\S.*)")
_SPLITS = ("TRAIN", "TEST")


def is_timit(folder: Path) -> bool:
    first = next(_pairs(folder), None)
    return first is not None and _sentence(first[0]) is not None


def open_timit(folder: Path, split: str | None) -> Corpus:
    """All sentences below the folder, or those of TRAIN or TEST; SA1 and SA2 are not left out."""
    root = folder.resolve()
    pairs = sorted(_pairs(root))
    splits = sorted({_split(transcript) for transcript, _ in pairs} - {""})
    wanted = None if split is None else split.upper()
    if wanted is not None and wanted not in splits:
        raise absent_split(splits, str(split), source=folder)
    return checked_corpus(
        root.name + (f":{wanted}" if wanted else ""),
        [
            _clip(root, transcript, audio)
            for transcript, audio in pairs
            if wanted in (None, _split(transcript))
        ],
        source=folder,
        language="en",
        normalizer="english",
    )


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each text file with the sound file of the same stem; discs and copies differ in case."""
    for transcript in folder.rglob("*.[tT][xX][tT]"):
        for suffix in (".WAV", ".wav"):
            audio = transcript.with_suffix(suffix)
            if audio.is_file():
                yield transcript, audio
                break


def _split(transcript: Path) -> str:
    """The nearest folder above that is called TRAIN or TEST, or nothing."""
    names = [parent.name.upper() for parent in transcript.parents]
    return next((name for name in names if name in _SPLITS), "")


def _sentence(transcript: Path) -> str | None:
    line = _SENTENCE.fullmatch(transcript.read_text(encoding="utf-8", errors="replace").strip())
    return line[1].strip() if line else None


def _clip(root: Path, transcript: Path, audio: Path) -> Clip:
    sentence = _sentence(transcript)
    if sentence is None:
        raise BadInput(f"{transcript} is not one line of 'start end sentence'; mend or remove it.")
    name = transcript.relative_to(root).with_suffix("").as_posix()
    return Clip(name, sentence, audio, speaker=transcript.parent.name)
