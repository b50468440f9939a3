"""Results are comparable where the model, the host's speech and the timed speech are the same."""

from dataclasses import replace

import pytest

from bench.agent.latency import Latency
from bench.agent.measurement import Heard, Measurement, Variant
from bench.groups import group_of, labels
from bench.rows import OTHER_CLIPS, Row, rows_from
from bench.speech_used import Speech, evaluated_on
from speech.clip_set import clip_set
from speech.corpora import open_corpus

TEST = open_corpus("demo:test")
SCORE = {
    "wer": 0.05, "wer_low": 0.04, "wer_high": 0.06, "cer": 0.02, "clips": len(TEST), "words": 800,
    "normalizer": "basic", "corpus": "demo:test", "corpus_set": TEST.corpus_set,
    "clip_set": TEST.clip_set,
}  # fmt: skip


def measured(score: dict[str, object] | None, **known: object) -> Measurement:
    clips = TEST.limit(4)
    variant = Variant("net-dense", "ctc", "dense", 0.0, 0.0, 0.0, score, model="net")
    found = Measurement(
        "bundles/net-dense", "net-dense", "2026-01-01", 1, variant=variant, verdicts=("VALID",),
        latency=Latency(8, 0.1, 0.1, None, None, None, None), corpus=clips.name,
        corpus_set=clips.corpus_set, clip_set=clips.clip_set, clips=len(clips),
    )  # fmt: skip
    return replace(found, **known)  # type: ignore[arg-type]


def row_of(found: Measurement) -> Row:
    [row] = rows_from([found])
    return row


def test_a_row_says_what_was_scored_and_what_was_timed() -> None:
    row = row_of(measured(SCORE))
    assert (row.model, row.corpus, row.normalizer) == ("net", "demo:test", "basic")
    assert row.clips == f"{len(TEST)} clips ({TEST.clip_set})"
    assert (row.timed_corpus, row.timed_clips) == (
        "demo:test",
        f"4 clips ({TEST.limit(4).clip_set})",
    )
    assert row.verdicts == ("VALID",)  # a few clips of the same corpus


def test_timing_on_another_corpus_is_marked() -> None:
    other = open_corpus("demo:calibration").limit(4)
    found = measured(SCORE, corpus=other.name, corpus_set=other.corpus_set, clip_set=other.clip_set)
    assert row_of(found).verdicts == (OTHER_CLIPS,)
    noisy = replace(found, verdicts=("NOISY",))
    assert row_of(noisy).verdicts == ("NOISY", OTHER_CLIPS)
    assert row_of(replace(found, latency=None, verdicts=())).verdicts == ()  # nothing was timed


def test_a_corpus_of_the_same_name_with_other_clips_is_another_one() -> None:
    found = measured(SCORE, corpus_set="0" * 12, clip_set="1" * 12)
    assert row_of(found).verdicts == (OTHER_CLIPS,)


@pytest.mark.parametrize(
    ("timed", "scored", "other"),
    [
        (Speech("demo:test"), Speech("demo:test"), False),
        (Speech("demo:test"), Speech("demo:calibration"), True),
        (Speech("dev:test"), Speech("dev"), False),  # an old recipe names no split
        (Speech("demo:test"), Speech("librispeech"), True),
        (Speech(), Speech("demo:test"), False),  # nobody knows
        (Speech("demo:test"), Speech(), False),
        (Speech("a", clip_set="1"), Speech("b", clip_set="1"), False),  # renamed
    ],
)
def test_what_is_not_known_is_not_another_corpus(
    timed: Speech, scored: Speech, other: bool
) -> None:
    assert timed.is_other_than(scored) is other


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ({"evaluate": "demo"}, "demo:test"),
        ({"evaluate": "demo:calibration"}, "demo:calibration"),
        ({"evaluate": "librispeech", "split": "dev-clean"}, "librispeech:dev-clean"),
        ({"evaluate": "../speech/own", "split": "test"}, "own:test"),
        ({"evaluate": "/speech/own"}, "own"),
        ({"evaluate": "owner/name", "split": "test"}, "owner/name:test"),
        ({}, ""),
    ],
)
def test_bundles_of_older_versions_have_the_corpus_in_their_recipe(
    section: dict[str, str], name: str
) -> None:
    assert evaluated_on({"recipe": {"corpus": section}}) == name


def test_older_results_know_their_clips_by_the_transcripts() -> None:
    heard = (Heard("a.wav", "one two", "one"), Heard("b.wav", "three", "three"))
    old = measured(None, corpus="", corpus_set="", clip_set="", clips=None, transcripts=heard)
    again = Measurement.from_json(old.to_json()).with_clips()
    assert (again.clips, again.clip_set) == (
        2,
        clip_set([("a.wav", "one two"), ("b.wav", "three")]),
    )
    assert row_of(old).timed_clips == f"2 clips ({again.clip_set})"


def test_a_draw_remembers_the_corpus_that_it_is_of() -> None:
    assert TEST.limit(4).corpus_set == TEST.first(3).corpus_set == TEST.clip_set
    assert TEST.limit(8).limit(4).corpus_set == TEST.clip_set
    assert TEST.limit(4).clip_set != TEST.first(4).clip_set


def test_models_corpora_and_timed_clips_are_groups_of_their_own() -> None:
    row = row_of(measured(SCORE))
    assert group_of(row) == group_of(replace(row, name="net-obs-50", method="obs"))
    others = [
        replace(row, model="other"),
        replace(row, corpus="librispeech"),
        replace(row, clips="8 clips"),
        replace(row, normalizer="english"),
        replace(row, window=5.0),
        replace(row, timed_clips="8 clips"),
        replace(row, corpus="", clips=""),
    ]
    assert len({group_of(one) for one in (row, *others)}) == 8
    assert group_of(row).scored == group_of(replace(row, window=5.0)).scored


def test_labels_say_no_more_than_tells_groups_apart() -> None:
    row = row_of(measured(SCORE))
    assert list(labels([group_of(row)]).values()) == ["net, demo:test"]
    told = labels(
        group_of(one)
        for one in (
            row,
            replace(row, model="a/other"),
            replace(row, model="b/other", corpus=""),
            replace(row, model="far", window=5.0),
            replace(row, model="near", normalizer="basic"),
            replace(row, model="near", normalizer="english"),
        )
    )
    assert list(told.values()) == [
        "net, demo:test",
        "a/other, demo:test",
        "b/other, unknown corpus",
        "far, demo:test, window 5 s",
        "near, demo:test, normaliser basic",
        "near, demo:test, normaliser english",
    ]
