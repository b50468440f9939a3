"""Word and character error rates, with an interval that says how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speech.errors import BadInput
from speech.normalise import normalizer as normalizer_named
from speech.score import Score as Score

if TYPE_CHECKING:
    from speech.corpora import Corpus

Counts = NDArray[np.int64]

#: Random numbers drawn at a time in the bootstrap (8 bytes each), so that a large corpus
#: does not need a gigabyte.
_DRAWS = 1_000_000


def score_on(corpus: Corpus, hypotheses: Sequence[str], normalizer: str | None = None) -> Score:
    """Of a corpus, with its own normaliser unless another is named; the score says which clips."""
    texts = [clip.text for clip in corpus.clips]
    found = score(texts, hypotheses, normalizer=normalizer or corpus.normalizer)
    return replace(
        found, corpus=corpus.name, corpus_set=corpus.corpus_set, clip_set=corpus.clip_set
    )


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    normalizer: str = "basic",
    seed: int = 0,
    resamples: int = 1000,
) -> Score:
    """Compare what was said with what was heard, clip by clip, after normalising both.

    A clip whose reference is empty adds its hypothesis' words as insertions.
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    normalise = normalizer_named(normalizer)
    said = [normalise(text) for text in references]
    heard = [normalise(text) for text in hypotheses]
    words = np.array([len(text.split()) for text in said], np.int64)
    if not words.any():
        raise BadInput(
            f"There are no words to score against: all {len(said)} references are empty after "
            f"the {normalizer!r} normaliser; check the transcripts or choose another normaliser."
        )
    kinds = _word_errors(said, heard)
    substitutions, insertions, deletions = (int(count) for count in kinds.sum(axis=0))
    errors = kinds.sum(axis=1)
    low, high = bootstrap_interval(errors, words, seed=seed, resamples=resamples)
    return Score(
        wer=float(errors.sum() / words.sum()),
        wer_low=low,
        wer_high=high,
        cer=_character_error_rate(said, heard),
        substitutions=substitutions,
        insertions=insertions,
        deletions=deletions,
        clips=len(said),
        words=int(words.sum()),
        normalizer=normalizer,
    )


def _word_errors(said: Sequence[str], heard: Sequence[str]) -> Counts:
    """Substitutions, insertions and deletions of each clip, shape (clips, 3)."""
    import jiwer  # Imported here: 6 MB that transcribing alone does not need.

    counts = np.zeros((len(said), 3), np.int64)
    spoken = [clip for clip, text in enumerate(said) if text]
    for clip, text in enumerate(said):
        if not text:
            counts[clip, 1] = len(heard[clip].split())
    aligned = jiwer.process_words([said[clip] for clip in spoken], [heard[clip] for clip in spoken])
    column = {"substitute": 0, "insert": 1, "delete": 2}
    for clip, chunks in zip(spoken, aligned.alignments, strict=True):
        for chunk in chunks:
            if chunk.type != "equal":
                length = max(
                    chunk.ref_end_idx - chunk.ref_start_idx,
                    chunk.hyp_end_idx - chunk.hyp_start_idx,
                )
                counts[clip, column[chunk.type]] += length
    return counts


def _character_error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Over characters, spaces between words included, as jiwer counts them."""
    import jiwer

    pairs = [(text, heard[clip]) for clip, text in enumerate(said) if text]
    inserted = sum(len(heard[clip]) for clip, text in enumerate(said) if not text)
    out = jiwer.process_characters([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    total = sum(len(characters) for characters in out.references)
    return float((out.substitutions + out.insertions + out.deletions + inserted) / total)


def bootstrap_interval(
    errors: Counts, words: Counts, *, seed: int = 0, resamples: int = 1000
) -> tuple[float, float]:
    """The middle 95 % of the error rates of corpora drawn from these clips with replacement.

    Clips are drawn, not words, because the errors of one clip come together.
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    clips = len(words)
    random = np.random.default_rng(seed)
    block = max(1, _DRAWS // clips)
    sums = np.empty((2, resamples), np.int64)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn = random.integers(0, clips, (stop - start, clips))
        sums[0, start:stop] = errors[drawn].sum(axis=1)
        sums[1, start:stop] = words[drawn].sum(axis=1)
    drawn_errors, drawn_words = sums[:, sums[1] > 0]
    if drawn_words.size == 0:
        rate = float(errors.sum() / words.sum())
        return rate, rate
    low, high = np.percentile(drawn_errors / drawn_words, [2.5, 97.5])
    return float(low), float(high)
