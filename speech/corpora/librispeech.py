"""LibriSpeech folders: subset/speaker/chapter/*.flac beside a *.trans.txt of "id TEXT" lines."""

from collections.abc import Iterator
from pathlib import Path

from speech.corpora.corpus import Clip, Corpus, absent_split, checked_corpus
from speech.corpora.metadata import lines_of
from speech.errors import BadInput

_TRANSCRIPTS = "*.trans.txt"


def is_librispeech(folder: Path) -> bool:
    return next(folder.rglob(_TRANSCRIPTS), None) is not None


def open_librispeech(folder: Path, split: str | None, *, name: str | None = None) -> Corpus:
    """All transcripts below the folder, or those of one subset (`split`, say test-clean)."""
    transcripts = sorted(folder.resolve().rglob(_TRANSCRIPTS))
    subsets = sorted({_subset(transcript) for transcript in transcripts})
    if split is not None and split not in subsets:
        raise absent_split(subsets, split, source=folder)
    return checked_corpus(
        name or folder.resolve().name + (f":{split}" if split else ""),
        [
            clip
            for transcript in transcripts
            if split in (None, _subset(transcript))
            for clip in _clips(transcript)
        ],
        source=folder,
        language="en",
        normalizer="english",
    )


def _subset(transcript: Path) -> str:
    return transcript.parents[2].name


def _clips(transcript: Path) -> Iterator[Clip]:
    for number, line in enumerate(lines_of(transcript), 1):
        if not line.strip():
            continue
        identifier, _, text = line.strip().partition(" ")
        if not text:
            raise BadInput(f"{transcript}, line {number}, has no text after {identifier}; mend it.")
        audio = transcript.with_name(f"{identifier}.flac")
        if not audio.is_file():
            raise BadInput(
                f"{transcript}, line {number}, names {audio.name}, which is not beside it; "
                "unpack the corpus again."
            )
        yield Clip(identifier, text, audio, speaker=identifier.partition("-")[0])
