"""Each layout opens as clips with the right words, and each broken one says where it is broken."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.corpora import Clip, Corpus, open_corpus
from speech.errors import BadInput


def _texts(corpus: Corpus) -> dict[str, str]:
    return {clip.name: clip.text for clip in corpus.clips}


def _complaint(path: object, **options) -> str:
    with pytest.raises(BadInput) as caught:
        open_corpus(str(path), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _metadata(folder: Path, *rows: dict | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


# The demo


def test_the_demo_has_both_its_splits():
    test, calibration = open_corpus("demo"), open_corpus("demo:calibration")
    assert (test.name, calibration.name) == ("demo:test", "demo:calibration")
    assert len(test) > 50
    assert len(calibration) > 50
    assert test.language == "en"
    assert test.normalizer == "basic"
    assert not {clip.text for clip in test.clips} >= {clip.text for clip in calibration.clips}
    assert open_corpus("demo", split="calibration") == calibration


def test_a_demo_clip_can_be_heard():
    samples = open_corpus("demo", limit=1).clips[0].samples()
    assert samples.dtype == np.float32
    assert 4_000 < len(samples) < 160_000
    assert np.abs(samples).max() > 0.01


def test_the_demo_is_found_where_the_environment_says(tmp_path, monkeypatch, write_tone):
    monkeypatch.setenv("SECATEUR_ASSETS", str(tmp_path))
    assert "SECATEUR_ASSETS" in _complaint("demo")
    write_tone(tmp_path / "clips" / "test" / "a.wav")
    _metadata(tmp_path / "clips" / "test", {"file_name": "a.wav", "text": "hi"})
    assert _texts(open_corpus("demo")) == {"a.wav": "hi"}


def test_a_split_the_demo_has_not():
    assert "no split 'train'; it has calibration, test" in _complaint("demo:train")
    assert "contradict" in _complaint("demo:test", split="calibration")


# AudioFolder


@pytest.mark.parametrize("column", ["text", "transcription", "sentence", "transcript"])
def test_audio_folder_in_json_lines(tmp_path, write_tone, column):
    write_tone(tmp_path / "b.wav", 0.25)
    write_tone(tmp_path / "deep" / "a.flac", 0.5)
    _metadata(
        tmp_path,
        {"file_name": "deep/a.flac", column: "grün \u2028 ja", "speaker": 7},
        "",
        {"file_name": "b.wav", column: "two"},
    )
    corpus = open_corpus(str(tmp_path))
    assert _texts(corpus) == {"deep/a.flac": "grün \u2028 ja", "b.wav": "two"}
    assert [clip.speaker for clip in corpus.clips] == ["7", None]
    assert corpus.normalizer == "basic"
    assert corpus.language is None
    loudness = [np.abs(clip.samples()).max() for clip in corpus.clips]
    assert loudness == pytest.approx([0.5, 0.25], abs=1e-3)


def test_audio_folder_in_csv(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    table = 'file_name,text,language\r\na.wav,"yes, ""sir""",en\r\n'
    (tmp_path / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + table.encode())
    corpus = open_corpus(str(tmp_path))
    assert _texts(corpus) == {"a.wav": 'yes, "sir"'}
    assert (corpus.language, corpus.normalizer) == ("en", "english")


def test_audio_folder_with_splits(tmp_path, write_tone):
    for split in ("train", "validation"):
        write_tone(tmp_path / split / "a.wav")
        _metadata(tmp_path / split, {"file_name": "a.wav", "text": split})
    assert _texts(open_corpus(str(tmp_path), split="train")) == {"a.wav": "train"}
    assert "the splits train, validation" in _complaint(tmp_path)
    assert "no split 'test'; it has train, validation" in _complaint(tmp_path, split="test")


def test_a_clip_without_speech_may_have_an_empty_text(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    _metadata(tmp_path, {"file_name": "a.wav", "text": ""})
    assert _texts(open_corpus(str(tmp_path))) == {"a.wav": ""}


GOOD = {"file_name": "a.wav", "text": "one"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"file_name": "a.wav", "words": "x"}], "its columns are file_name, words"),
        ([GOOD, {**GOOD, "text": "two"}], "the clip a.wav more than once"),
        ([GOOD, {**GOOD, "file_name": "./a.wav"}], "the clip a.wav more than once"),
        ([GOOD, {**GOOD, "file_name": "gone.wav"}], "line 2, names gone.wav, which is not in"),
        ([{**GOOD, "file_name": "../a.wav"}], "names ../a.wav, which lies outside"),
        ([{**GOOD, "file_name": "x/../../a.wav"}], "lies outside"),
        ([{**GOOD, "file_name": "/etc/passwd"}], "lies outside"),
        ([{**GOOD, "file_name": "."}], "is not in"),
        ([GOOD, '{"file_name": "a.wav", "text'], "line 2, is not JSON"),
        ([GOOD, "[1, 2]"], "line 2, is not a JSON object"),
        ([GOOD, {"text": "no name"}], "line 2, has no file_name"),
        ([GOOD, {"file_name": "a.wav", "text": None}], "line 2, has no text"),
        ([""], "lists no clips"),
    ],
)
def test_bad_metadata_is_named(tmp_path, write_tone, rows, said):
    write_tone(tmp_path / "a.wav")
    _metadata(tmp_path / "corpus", *rows)
    write_tone(tmp_path / "corpus" / "a.wav")
    message = _complaint(tmp_path / "corpus")
    assert said in message
    assert str(tmp_path / "corpus" / "metadata.jsonl") in message


def test_metadata_in_another_encoding(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "metadata.csv").write_bytes("file_name,text\na.wav,grün".encode("latin-1"))
    assert "metadata.csv is not UTF-8" in _complaint(tmp_path)


# LibriSpeech


def _librispeech(root: Path, write_tone, subsets=("test-clean", "dev-clean")) -> Path:
    for subset in subsets:
        chapter = root / subset / "1089" / "134686"
        for number in range(2):
            write_tone(chapter / f"1089-134686-{subset[0]}{number}.flac")
        (chapter / "1089-134686.trans.txt").write_text(
            f"1089-134686-{subset[0]}0 HE HOPED\n1089-134686-{subset[0]}1 STUFF IT INTO YOU\n"
        )
    return root


def test_librispeech(tmp_path, write_tone):
    root = _librispeech(tmp_path / "LibriSpeech", write_tone)
    corpus = open_corpus(str(root), split="test-clean")
    assert _texts(corpus) == {
        "1089-134686-t0": "HE HOPED",
        "1089-134686-t1": "STUFF IT INTO YOU",
    }
    assert corpus.clips[0].speaker == "1089"
    assert (corpus.language, corpus.normalizer) == ("en", "english")
    assert len(corpus.clips[1].samples()) == 1_600
    assert len(open_corpus(str(root))) == 4
    assert len(open_corpus(str(root / "test-clean"))) == 2
    assert "it has dev-clean, test-clean" in _complaint(root, split="train")


def test_librispeech_with_a_lost_recording(tmp_path, write_tone):
    root = _librispeech(tmp_path, write_tone)
    (root / "test-clean" / "1089" / "134686" / "1089-134686-t1.flac").unlink()
    assert "line 2, names 1089-134686-t1.flac" in _complaint(root)


# TIMIT


@pytest.mark.parametrize("upper", [True, False])
def test_timit(tmp_path, write_tone, upper):
    for split, sentence in (("TRAIN", "She had your suit."), ("TEST", "Don't ask me.")):
        name = f"{split}/DR1/FAKS0/SX43"
        path = tmp_path / (name + ".WAV" if upper else name.lower() + ".wav")
        write_tone(path, format="NIST", subtype="PCM_16")
        path.with_suffix(".TXT" if upper else ".txt").write_text(f"0 35635 {sentence}\n")
    (tmp_path / "README.TXT").write_text("not a transcript")

    corpus = open_corpus(str(tmp_path), split="test")

    assert [clip.text for clip in corpus.clips] == ["Don't ask me."]
    assert corpus.clips[0].name.upper() == "TEST/DR1/FAKS0/SX43"
    assert corpus.clips[0].speaker.upper() == "FAKS0"
    assert len(corpus.clips[0].samples()) == 1_600
    assert corpus.normalizer == "english"
    assert len(open_corpus(str(tmp_path))) == 2
    assert "it has TEST, TRAIN" in _complaint(tmp_path, split="core")


# Common Voice


def _common_voice(root: Path, write_tone, **tables: list[tuple[str, str]]) -> Path:
    for split, rows in tables.items():
        lines = ["client_id\tpath\tsentence"]
        for path, sentence in rows:
            write_tone(root / "clips" / path, format="MP3")
            lines.append(f"someone\t{path}\t{sentence}")
        (root / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_common_voice(tmp_path, write_tone):
    rows = {
        "test": [("t.mp3", '"Go, he said'), ("u.mp3", 'and "went')],
        "train": [("a.mp3", "Colour"), ("b.mp3", "x")],
    }
    root = _common_voice(tmp_path / "en", write_tone, **rows)
    corpus = open_corpus(str(root))
    assert corpus.name == "en:test"
    assert _texts(corpus) == {"t.mp3": '"Go, he said', "u.mp3": 'and "went'}
    assert (corpus.language, corpus.normalizer) == ("en", "english")
    assert corpus.clips[0].speaker == "someone"
    assert len(corpus.clips[0].samples()) == pytest.approx(1_600, abs=160)
    assert len(open_corpus(str(root), split="train")) == 2
    assert "no split 'dev'; it has test, train" in _complaint(root, split="dev")


@pytest.mark.parametrize(
    ("folder", "language"), [("de", "de"), ("sv-SE", "sv"), ("my recordings", None)]
)
def test_common_voice_in_another_language(tmp_path, write_tone, folder, language):
    corpus = open_corpus(str(_common_voice(tmp_path / folder, write_tone, test=[("a.mp3", "ja")])))
    assert (corpus.language, corpus.normalizer) == (language, "basic")


def test_common_voice_without_its_columns(tmp_path, write_tone):
    root = _common_voice(tmp_path / "en", write_tone, test=[("a.mp3", "x")])
    (root / "test.tsv").write_text("path\ttext\na.mp3\tx\n")
    message = _complaint(root)
    assert "test.tsv has no column sentence" in message
    assert "path, text" in message


def test_common_voice_may_not_leave_its_folder(tmp_path, write_tone):
    root = _common_voice(tmp_path / "en", write_tone, test=[("a.mp3", "x")])
    (root / "test.tsv").write_text("path\tsentence\n../../a.mp3\tx\n")
    assert "lies outside" in _complaint(root)


# Names, folders and limits


def test_a_folder_in_no_layout_says_which_are_understood(tmp_path, write_tone):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("no times in here")
    message = _complaint(tmp_path)
    for layout in ("AudioFolder", "LibriSpeech", "TIMIT", "Common Voice"):
        assert layout in message


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("dmeo", "'demo'"),
        ("demo-test", "'demo:test'"),
        ("librispeech:test-cleen", "'librispeech:test-clean'"),
        ("libri:test-clean", "'librispeech:test-clean'"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(wrong, right):
    assert f"did you mean {right}" in _complaint(wrong)


def test_a_name_like_nothing_gets_the_list():
    assert "demo:calibration" in _complaint("zzz")


@pytest.mark.parametrize("path", ["./gone", "~/gone-for-ever", "/gone/corpus", "a/b/c"])
def test_a_missing_folder_is_not_looked_for_on_the_network(path):
    assert "There is no folder" in _complaint(path)


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_the_folder_one_happens_to_be_in(name):
    assert "is empty" in _complaint(name)


def test_a_file_is_not_a_corpus(tmp_path):
    path = tmp_path / "metadata.jsonl"
    path.touch()
    assert "is a file" in _complaint(path)


def _numbered(count: int) -> Corpus:
    return Corpus("n", tuple(Clip(f"{i:03}", "", Path("x")) for i in range(count)))


@given(n=st.integers(1, 40), seed=st.integers(0, 50))
def test_a_draw_is_in_order_repeatable_and_part_of_larger_draws(n, seed):
    corpus = _numbered(30)
    names = [clip.name for clip in corpus.limit(n, seed).clips]
    assert len(names) == min(n, 30)
    assert names == sorted(names)
    assert corpus.limit(n, seed) == corpus.limit(n, seed)
    assert set(names) <= {clip.name for clip in corpus.limit(n + 1, seed).clips}


def test_draws_differ_by_seed_and_are_not_just_the_first():
    corpus = _numbered(100)
    assert corpus.limit(10, 0) != corpus.limit(10, 1)
    assert corpus.limit(10, 0).clips != corpus.clips[:10]
    assert corpus.limit(None, 0) is corpus


@pytest.mark.parametrize("n", [0, -3])
def test_a_limit_below_one(n):
    with pytest.raises(BadInput, match=f"is {n}"):
        _numbered(5).limit(n)
