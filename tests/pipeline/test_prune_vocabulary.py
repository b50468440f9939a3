"""`secateur prune --vocabulary`: fewer tokens, said so, and still a checkpoint that opens."""

import json
from pathlib import Path

import pytest

from pipeline.needed_texts import needed_texts
from prune.checkpoint import open_checkpoint
from speech.errors import BadInput
from tests.export.exported import bundle_of
from tests.pipeline.command_line import assert_one_sentence, secateur

TEXTS = ["turn on the radio", "the kitchen now"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """As some editors save: a mark in front, blank lines, carriage returns."""
    file = tmp_path / "texts.txt"
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(TEXTS).encode() + b"\r\n")
    return file


def test_the_checkpoint_opens_spells_hears_and_exports(
    tiny_folders: dict[str, Path], tmp_path: Path, texts: Path
) -> None:
    whole, out = tiny_folders["whisper"], tmp_path / "out"
    words = ["prune", str(whole), "--method", "mp_global", "--sparsity", "0.5"]
    done = secateur(*words, "--vocabulary", str(texts), "-o", str(out))
    assert done.returncode == 0, done.stderr
    before, after = open_checkpoint(str(whole)), open_checkpoint(str(out))
    old, new = before.processor.tokenizer, after.processor.tokenizer
    record = json.loads((out / "pruning.json").read_text())
    trimmed = record["vocabulary"]
    assert trimmed == {
        "texts": str(texts),
        "lines": 2,
        "before": before.model.config.vocab_size,
        "kept": after.model.config.vocab_size,
    }
    assert trimmed["kept"] == len(new) < trimmed["before"] == len(old)
    assert f"{trimmed['kept']} of {trimmed['before']} tokens kept, for the 2 texts" in done.stdout
    for text in TEXTS:
        pieces = [vocabulary.tokenize(f" {text}") for vocabulary in (old, new)]
        assert pieces[0] == pieces[1]
        assert new.decode(new(f" {text}").input_ids, skip_special_tokens=True) == f" {text}"
    counts = [sum(p.numel() for p in c.model.parameters()) for c in (before, after)]
    zeros = sum(int((p == 0).sum()) for p in after.model.parameters())
    assert record["achieved"] == pytest.approx(0.5, abs=0.001)
    assert record["model"] == pytest.approx(1 - (counts[1] - zeros) / counts[0])
    assert "of the model, the tokens that went included)" in done.stdout
    heard = secateur("eval", str(out), "--corpus", "demo", "--limit", "2", "--json")
    assert json.loads(heard.stdout)["clips"] == 2
    assert bundle_of(after, tmp_path / "bundle").manifest.family == "whisper"


def test_nothing_is_cut_but_tokens_and_the_projection_counts_what_is_left(
    tiny_folders: dict[str, Path], tmp_path: Path, texts: Path
) -> None:
    words = ["prune", str(tiny_folders["whisper"]), "--method", "mp_global", "--json"]
    words += ["--vocabulary", str(texts), "--tied"]
    done = secateur(*words, "--sparsity", "0", "-o", str(tmp_path / "none"))
    record = json.loads(done.stdout)
    assert record["achieved"] == 0 < record["model"]
    row = record["components"][-1]
    assert row["component"] == "vocabulary"
    assert row["weights"] == row["left"] == 32 * record["vocabulary"]["kept"]
    done = secateur(*words, "--sparsity", "0.5", "-o", str(tmp_path / "half"))
    assert json.loads(done.stdout)["achieved"] == pytest.approx(0.5, abs=0.001)


def test_a_corpus_may_need_all_tokens(tmp_path: Path) -> None:
    words = ["prune", "demo-whisper", "--method", "mp_global", "--sparsity", "0"]
    done = secateur(*words, "--vocabulary", "demo:test", "-o", str(tmp_path / "out"))
    assert "Vocabulary: all 361 tokens are needed for the 200 texts of demo:test." in done.stdout
    assert "included" not in done.stdout
    assert "lines" in json.loads((tmp_path / "out" / "pruning.json").read_text())["vocabulary"]


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (None, ["texts.txt", "no plain file"]),
        (b"", ["texts.txt", "no words"]),
        (b" \n\n\t\n", ["texts.txt", "no words"]),
        ("Größe".encode("latin-1"), ["texts.txt", "not UTF-8"]),
        (b"on\n" + b"a" * 200_000, ["texts.txt, line 2", "longer than 100,000"]),
    ],
)
def test_texts_that_cannot_be_used_are_refused_before_any_work(
    tmp_path: Path, content: bytes | None, fragments: list[str]
) -> None:
    file, out = tmp_path / "texts.txt", tmp_path / "out"
    if content is not None:
        file.write_bytes(content)
    words = ["prune", "nowhere/at/all", "--method", "mp_global", "--sparsity", "0.5"]
    done = secateur(*words, "--vocabulary", str(file), "-o", str(out))
    assert_one_sentence(done, *fragments)
    assert not out.exists()


def test_a_model_that_spells_in_letters_is_refused(
    tiny_folders: dict[str, Path], tmp_path: Path, texts: Path
) -> None:
    words = ["prune", str(tiny_folders["sew"]), "--method", "mp_global", "--sparsity", "0.5"]
    done = secateur(*words, "--vocabulary", str(texts), "-o", str(tmp_path / "out"))
    assert_one_sentence(done, "spells in letters")
    assert not (tmp_path / "out").exists()


def test_texts_are_read_again_each_time_and_names_are_corpora(texts: Path) -> None:
    needed = needed_texts(str(texts))
    assert list(needed) == list(needed) == TEXTS
    assert needed.count == 2
    corpus = needed_texts("demo:calibration")
    assert (corpus.name, corpus.count) == ("demo:calibration", len(list(corpus)))
    for wanted, said in (
        ("demo:tset", "no split 'tset'"),
        ("dmeo", "did you mean 'demo'"),
        ("texts-that-are-not.txt", "check the path"),
        ("turn on the light " * 99, "too long"),
    ):
        with pytest.raises(BadInput, match=said) as caught:
            needed_texts(wanted)
        assert "\n" not in str(caught.value)
