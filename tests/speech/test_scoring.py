"""Error rates a reader can check by hand, and intervals that behave as intervals."""

import json
import time

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import BadInput
from speech.scoring import Score, bootstrap_interval, score

WORDS = ["one", "two", "three", "pause", "the", "radio"]


def test_one_error_of_each_kind():
    result = score(["one two three four five six"], ["one x three five six seven"])
    assert (result.substitutions, result.insertions, result.deletions) == (1, 1, 1)
    assert result.words == 6
    assert result.wer == pytest.approx(3 / 6)


def test_characters_are_counted_with_the_spaces_between_words():
    assert score(["abc de"], ["abd de"]).cer == pytest.approx(1 / 6)


def test_a_perfect_transcript_has_no_errors_and_no_doubt():
    result = score(["a b", "c"], ["A b.", "c!"])
    assert (result.wer, result.wer_low, result.wer_high, result.cer) == (0, 0, 0, 0)


def test_the_normaliser_decides_what_is_an_error():
    assert score(["colour"], ["Color"], normalizer="english").wer == 0
    assert score(["colour"], ["Color"], normalizer="basic").wer == 1
    assert score(["Hello"], ["hello"], normalizer="none").wer == 1


def test_a_looping_model_shows_as_insertions_and_more_than_everything_wrong():
    result = score(["stop"], ["stop " * 50])
    assert result.insertions == 49
    assert result.wer == 49


def test_words_heard_in_a_clip_without_speech_are_insertions():
    result = score(["one two", "[noise]"], ["one two", "thanks for watching"])
    assert result.insertions == 3
    assert result.wer == pytest.approx(3 / 2)
    assert result.clips == 2
    assert result.cer == pytest.approx(len("thanks for watching") / len("one two"))


def test_an_empty_hypothesis_is_all_deletions():
    result = score(["one two three"], [""])
    assert result.deletions == 3
    assert result.wer == 1
    assert result.cer == 1


@pytest.mark.parametrize("references", [[], ["", " "], ["...", "[noise]"]])
def test_nothing_to_score_against_is_bad_input(references):
    with pytest.raises(BadInput, match="no words to score against"):
        score(references, ["x"] * len(references))


def test_lists_of_different_length_are_a_mistake_in_the_program():
    with pytest.raises(ValueError, match="2 references but 1"):
        score(["a", "b"], ["a"])


def _pairs() -> st.SearchStrategy[list[tuple[str, str]]]:
    sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
    heard = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
    return st.lists(st.tuples(sentence, heard), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(_pairs())
def test_totals_agree_with_jiwer_over_the_whole_corpus(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    ours = score(references, hypotheses, normalizer="none", resamples=10)
    theirs = jiwer.process_words(references, hypotheses)
    assert (ours.substitutions, ours.insertions, ours.deletions) == (
        theirs.substitutions,
        theirs.insertions,
        theirs.deletions,
    )
    assert ours.wer == pytest.approx(theirs.wer)
    assert ours.cer == pytest.approx(jiwer.cer(references, hypotheses))


def _noisy_corpus(clips: int, seed: int = 0) -> tuple[list[str], list[str]]:
    random = np.random.default_rng(seed)
    said = [random.choice(WORDS, random.integers(3, 9)) for _ in range(clips)]
    heard = [
        [word if random.random() > 0.15 else "wrong" for word in sentence] for sentence in said
    ]
    return [" ".join(words) for words in said], [" ".join(words) for words in heard]


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    corpus = _noisy_corpus(50)
    assert score(*corpus, seed=3) == score(*corpus, seed=3)
    assert score(*corpus, seed=3) != score(*corpus, seed=4)


def test_the_interval_holds_the_rate_and_narrows_with_more_clips():
    few, many = score(*_noisy_corpus(20)), score(*_noisy_corpus(500))
    for result in (few, many):
        assert result.wer_low < result.wer < result.wer_high
    assert few.wer_high - few.wer_low > 3 * (many.wer_high - many.wer_low)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        words = random.integers(4, 10, 150)
        low, high = bootstrap_interval(
            random.binomial(words, 0.1), words, seed=trial, resamples=400
        )
        covered += low <= 0.1 <= high
    assert 180 <= covered <= 199


def test_one_clip_gives_an_interval_of_no_width():
    result = score(["one two"], ["one three"])
    assert result.wer_low == result.wer == result.wer_high == 0.5


def test_draws_without_a_single_word_are_left_out():
    low, high = bootstrap_interval(np.array([1, 2]), np.array([0, 4]), resamples=200)
    assert np.isfinite([low, high]).all()


def test_a_large_corpus_is_drawn_in_blocks_without_repeating_itself():
    random = np.random.default_rng(0)
    words = random.integers(5, 20, 3_000)
    errors = random.binomial(words, 0.2)
    low, high = bootstrap_interval(errors, words, resamples=1000)
    ratio = errors.sum() / words.sum()
    residual = errors - ratio * words
    standard_error = residual.std() / words.mean() / np.sqrt(len(words))
    assert (high - low) / (2 * 1.96) == pytest.approx(standard_error, rel=0.1)


def test_the_bootstrap_of_200_clips_takes_no_time():
    words = np.full(200, 6)
    errors = np.arange(200) % 3
    best = min(_timed(lambda: bootstrap_interval(errors, words)) for _ in range(5))
    assert best < 0.1


def _timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_score_survives_json():
    result = score(*_noisy_corpus(10), normalizer="english")
    assert Score.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_a_stored_score_with_a_hole_names_it():
    data = score(["a"], ["a"]).to_json()
    del data["wer_low"]
    with pytest.raises(BadInput, match="wer_low"):
        Score.from_json(data)
