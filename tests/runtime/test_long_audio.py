"""Long recordings: heard in pieces, and not heard worse for it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from prune.checkpoint import open_checkpoint
from prune.listen import transcribe
from runtime.recognizer import open_recognizer
from runtime.settings import Settings
from runtime.transcript import joined
from speech.audio import RATE, Floats
from speech.corpora import open_corpus
from speech.pauses import WHOLE, cut_at_pauses, pieces
from speech.scoring import score
from tests.export.exported import demo, noise, sew, whisper

#: Seconds between two utterances: as long as somebody takes to draw breath.
BREATH = 0.3


def spoken_in_a_row(clips: list[Floats]) -> Floats:
    pause = np.zeros(int(BREATH * RATE), np.float32)
    return np.concatenate([part for clip in clips for part in (clip, pause)])


#: In pieces of three seconds, the longest that the demo models were trained on.
LONGEST = 3 * RATE


def in_onnxruntime(pieces: list[Floats]) -> list[str]:
    """The recogniser cuts for itself, and finds that these fit."""
    recognizer = open_recognizer(demo("demo-whisper"), Settings(window=LONGEST / RATE))
    return [recognizer.transcribe(piece).text for piece in pieces]


def in_pytorch(pieces: list[Floats]) -> list[str]:
    fitting = [part for piece in pieces for part in cut_at_pauses(piece, LONGEST)]
    return transcribe(open_checkpoint("demo-sew"), fitting)


@pytest.mark.parametrize("listen", [in_onnxruntime, in_pytorch])
def test_thirty_clips_joined_are_heard_as_well_as_one_by_one(listen: Any) -> None:
    corpus = open_corpus("demo:test", limit=60, seed=1)
    clips = [clip.samples() for clip in corpus.clips]
    text = " ".join(clip.text for clip in corpus.clips)

    def errors(pieces: list[Floats]) -> float:
        return 100 * score([text], [" ".join(listen(pieces))], normalizer=corpus.normalizer).wer

    halves = [spoken_in_a_row(clips[:30]), spoken_in_a_row(clips[30:])]
    assert all(len(half) > 15 * LONGEST for half in halves)
    assert errors(halves) <= errors(clips) + 1


@pytest.mark.parametrize("seconds", [0, 0.01, 0.3, 2.99, 3.0, 3.01, 3.2, 7.7, 61])
def test_pieces_follow_one_another_and_fit(seconds: float) -> None:
    samples, longest = noise(5, 61)[: int(seconds * RATE)], LONGEST
    cut = cut_at_pauses(samples, longest)
    assert np.array_equal(np.concatenate(cut), samples)
    assert max(map(len, cut)) <= longest
    assert (len(cut) == 1) == (len(samples) <= longest)
    assert min(map(len, cut[:-1]), default=longest) >= longest // 3, "too many pieces"


@pytest.mark.parametrize("seconds", [0, 2.99, 3.01, 61])
def test_sound_that_comes_in_blocks_is_cut_at_the_same_places(seconds: float) -> None:
    samples, rng = noise(5, 61)[: int(seconds * RATE)], np.random.default_rng(0)
    cuts = np.sort(rng.integers(0, len(samples) + 1, 40))
    blocks = iter(np.split(samples, cuts))  # some of them empty
    expected = cut_at_pauses(samples, LONGEST)
    for piece, at_once in zip(pieces(blocks, LONGEST), expected, strict=True):
        assert np.array_equal(piece, at_once)


def test_a_piece_is_given_before_all_blocks_are_there() -> None:
    def endless() -> Iterator[Floats]:
        while True:
            yield noise(5, 1.0)

    given = pieces(endless(), LONGEST)
    assert [0 < len(next(given)) <= LONGEST for _ in range(5)] == [True] * 5


def test_cuts_are_made_in_pauses() -> None:
    """Words of 0.5 s with a closure of 40 ms inside, and pauses of 0.25 s between them."""
    word = noise(0, 0.5) + 0.05
    word[3_800:4_440] = 0
    period = int(0.75 * RATE)
    samples = np.tile(np.pad(word, (0, period - len(word))), 20)
    pieces = cut_at_pauses(samples, 3 * RATE)
    cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
    assert len(cuts) >= 5
    for cut in cuts:
        assert len(word) < cut % period < period, "a word was cut"


def test_even_audio_without_a_pause_is_cut() -> None:
    pieces = cut_at_pauses(np.ones(100 * RATE, np.float32), 30 * RATE)
    assert all(len(piece) > 29 * RATE for piece in pieces[:-1])


def test_the_shortest_pieces_of_all() -> None:
    pieces = cut_at_pauses(noise(1, 0.01), 50)
    assert max(map(len, pieces)) <= 50
    assert sum(map(len, pieces)) == 160


def test_a_ctc_model_hears_librispeech_in_one_piece_and_an_hour_in_many() -> None:
    recognizer = open_recognizer(sew()[1])
    lengths: list[int] = []
    real = recognizer.logits  # type: ignore[attr-defined]

    def counting(values: Floats) -> Floats:
        lengths.append(len(values))
        return real(values)  # type: ignore[no-any-return]

    recognizer.logits = counting  # type: ignore[attr-defined]
    recognizer.transcribe(noise(1, 35))
    assert lengths == [35 * RATE]
    recognizer.transcribe(noise(1, 100))
    assert len(lengths) > 3
    assert max(lengths) <= WHOLE * RATE
    assert sum(lengths[1:]) == 100 * RATE


def test_texts_of_pieces_are_joined_with_a_space() -> None:
    recognizer = open_recognizer(sew()[1], Settings(window=1.0))
    samples = noise(2, 4.0)
    parts = [recognizer.transcribe(piece) for piece in cut_at_pauses(samples, RATE)]
    whole = recognizer.transcribe(samples)
    assert whole.text == " ".join(filter(None, (part.text for part in parts)))
    assert whole.tokens == tuple(token for part in parts for token in part.tokens)


@pytest.mark.parametrize("family", [sew, whisper])
def test_blocks_give_a_transcript_a_piece(family: Any) -> None:
    recognizer = open_recognizer(family()[1], Settings(window=1.0))
    samples = noise(2, 4.0)
    parts = list(recognizer.transcribe_blocks(np.split(samples, 8)))
    assert len(parts) == len(cut_at_pauses(samples, RATE))
    whole, sums = recognizer.transcribe(samples), joined(parts)
    assert (whole.text, whole.tokens) == (sums.text, sums.tokens)
    assert whole.seconds.keys() == sums.seconds.keys()


def test_pytorch_cuts_a_long_clip_of_a_ctc_model_where_onnxruntime_does() -> None:
    checkpoint, bundle = sew()
    clip = noise(1, 100)
    (text,) = transcribe(checkpoint, [clip])
    assert text == " ".join(filter(None, transcribe(checkpoint, cut_at_pauses(clip, 40 * RATE))))
    assert text == open_recognizer(bundle).transcribe(clip).text
