"""A clip and a corpus: what every layout on disk is turned into."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from speech.audio import Floats, read_audio
from speech.clip_set import clip_set
from speech.errors import BadInput


@dataclass(frozen=True)
class Clip:
    """One utterance and what was said in it.

    `audio` is the sound file, or a function that decodes the samples where there is no file
    (a row of a Hugging Face dataset). `text` is as the corpus spells it.
    """

    name: str
    text: str
    audio: Path | Callable[[], Floats] = field(repr=False, compare=False)
    speaker: str | None = None

    def samples(self) -> Floats:
        """16 kHz mono, read afresh on every call: a corpus need not fit in memory."""
        return read_audio(self.audio) if isinstance(self.audio, Path) else self.audio()


@dataclass(frozen=True)
class Corpus:
    """Clips in a fixed order. `language` is an ISO code such as "en", or None if not known.

    `normalizer` names the text normaliser that scores on this corpus are usually given in.
    """

    name: str
    clips: tuple[Clip, ...] = field(repr=False)
    language: str | None = None
    normalizer: str = "basic"
    #: Of what `limit` drew these clips from.
    drawn_from: str = field(default="", repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def clip_set(self) -> str:
        """Which clips these are, in twelve hexadecimal digits."""
        return clip_set((clip.name, clip.text) for clip in self.clips)

    @property
    def corpus_set(self) -> str:
        """All clips of the corpus, however few of them these are."""
        return self.drawn_from or self.clip_set

    def __getitem__(self, index: int) -> tuple[Floats, str]:
        """A clip's samples and its text, read from disk when asked for."""
        clip = self.clips[index]
        return clip.samples(), clip.text

    def limit(self, n: int | None, seed: int = 0) -> "Corpus":
        """`n` clips drawn at random, in the corpus' own order; None (or too many) means all.

        With one seed a smaller draw is part of every larger one.
        """
        if n is None or n >= len(self.clips):
            return self
        if n < 1:
            raise BadInput(f"The limit on clips is {n}, but it must be at least 1; leave it out.")
        drawn = np.random.default_rng(seed).permutation(len(self.clips))[:n]
        clips = tuple(self.clips[index] for index in sorted(drawn))
        return replace(self, clips=clips, drawn_from=self.corpus_set)

    def first(self, n: int) -> "Corpus":
        """The first `n` of its clips."""
        return replace(self, clips=self.clips[:n], drawn_from=self.corpus_set)


def checked_corpus(
    name: str, clips: Sequence[Clip], *, source: object, language: str | None, normalizer: str
) -> Corpus:
    """A corpus of these clips, unless there are none or two have one name; `source` is blamed."""
    if not clips:
        raise BadInput(f"{source} lists no clips at all; check that it is the right corpus.")
    twice = [clip for clip, count in Counter(clip.name for clip in clips).items() if count > 1]
    if twice:
        raise BadInput(
            f"{source} lists the clip {twice[0]} more than once; remove one of the entries."
        )
    return Corpus(name, tuple(clips), language, normalizer)


def default_normalizer(language: str | None) -> str:
    """English has rules of its own for numbers, contractions and spelling."""
    return "english" if language == "en" else "basic"


def chosen_split(available: Sequence[str], wanted: str | None, *, source: object) -> str:
    """The split that was asked for, or "test", or the only one; anything else is BadInput."""
    if wanted is None:
        if "test" in available:
            return "test"
        if len(available) == 1:
            return available[0]
        raise BadInput(f"{source} has the splits {', '.join(available)}; say which to use.")
    if wanted not in available:
        raise absent_split(available, wanted, source=source)
    return wanted


def absent_split(available: Sequence[str], wanted: str, *, source: object) -> BadInput:
    there = f"it has {', '.join(available)}" if available else "it has no splits"
    return BadInput(f"{source} has no split {wanted!r}; {there}.")
