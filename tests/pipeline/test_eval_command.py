"""`secateur eval` as a user calls it: real processes, real checkpoints, real files."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.archive import pack
from tests.export.exported import sew
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, fresh_secateur, secateur
from tests.pipeline.hub_stand_in import hub_stand_in

RATE = 16_000


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three clips of noise with a text each; the last is longer than the 4 s window."""
    return write_noise(tmp_path / "corpus", (1, 2, 5))


def test_a_checkpoint_folder_gives_the_promised_json(
    tiny_folders: dict[str, Path], corpus: Path
) -> None:
    done = fresh_secateur("eval", str(tiny_folders["whisper"]), "--corpus", str(corpus), "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["clips"] == 3
    assert record["words"] == 12
    assert record["wer_low"] <= record["wer"] <= record["wer_high"]
    assert record["cer"] >= 0
    assert record["normalizer"] == "basic"
    assert record["longer_than_window"] == 1


def test_clips_beyond_the_window_are_announced(tiny_folders: dict[str, Path], corpus: Path) -> None:
    done = secateur("eval", str(tiny_folders["whisper"]), "--corpus", str(corpus))
    assert "1 clip is longer than the model's window of 4 s" in done.stdout
    assert "window by window" in done.stdout


def test_a_hub_name_is_fetched_from_the_hub(
    tiny_folders: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    with hub_stand_in({"someone/tiny-sew": tiny_folders["sew"]}) as endpoint:
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache")}
        done = fresh_secateur(
            "eval", "someone/tiny-sew", "--corpus", str(corpus), "--json", **environment
        )
        assert done.returncode == 0, done.stderr
        missing = fresh_secateur("eval", "someone/other", "--corpus", str(corpus), **environment)
    local = secateur("eval", str(tiny_folders["sew"]), "--corpus", str(corpus), "--json")
    ours, theirs = json.loads(done.stdout), json.loads(local.stdout)
    assert ours | {"model": ""} == theirs | {"model": ""}
    assert_one_sentence(missing, "someone/other", "neither a folder here nor a model")


def test_a_hub_name_without_a_network_is_one_sentence(corpus: Path, tmp_path: Path) -> None:
    done = fresh_secateur(
        "eval", "openai/whisper-tiny", "--corpus", str(corpus), HF_HOME=str(tmp_path / "cache")
    )
    assert_one_sentence(done, "openai/whisper-tiny", "check the name and the network")


@pytest.mark.parametrize(
    ("model", "fragment"),
    [
        ("bad name!/x", "bad name!/x"),
        ("demo-wisper", "did you mean demo-whisper"),
        ("./nothing/here", "does not exist"),
        ("pyproject.toml", "no .secateur archive"),
        ("speech", "has no config.json"),
    ],
)
def test_a_model_that_is_none(model: str, fragment: str, corpus: Path) -> None:
    assert_one_sentence(secateur("eval", model, "--corpus", str(corpus)), fragment)


def test_bad_corpora_name_what_is_wrong(tiny_folders: dict[str, Path], corpus: Path) -> None:
    model = str(tiny_folders["sew"])
    soundfile.write(corpus / "1.wav", np.zeros(RATE), RATE)
    assert_one_sentence(secateur("eval", model, "--corpus", str(corpus)), "1.wav", "silent")
    (corpus / "1.wav").write_bytes(b"no sound at all")
    assert_one_sentence(secateur("eval", model, "--corpus", str(corpus)), "1.wav")
    (corpus / "metadata.jsonl").write_text('{"file_name": "0.wav", "words": "turn on"}')
    assert_one_sentence(secateur("eval", model, "--corpus", str(corpus)), "words")
    assert_one_sentence(secateur("eval", model, "--corpus", "dmeo"), "did you mean 'demo'")
    assert_one_sentence(secateur("eval", model, "--device", "mps"), "mps", "not available")


def test_a_language_is_for_multilingual_whisper_only(
    tiny_folders: dict[str, Path], corpus: Path
) -> None:
    for name, sentence in (("whisper", "knows one language"), ("sew", "knows no languages")):
        model = str(tiny_folders[name])
        done = secateur("eval", model, "--corpus", str(corpus), "--language", "de")
        assert_one_sentence(done, sentence, "leave out")


def test_a_mistyped_subcommand_gets_the_nearest() -> None:
    done = fresh_secateur("evel", "demo-whisper")
    assert done.returncode == 2
    assert "eval" in done.stderr.splitlines()[-1]


def test_an_archive_is_heard_as_its_folder_is(corpus: Path, tmp_path: Path) -> None:
    folder, archive = sew()[1].folder, tmp_path / "sew.secateur"
    pack(folder, archive)
    heard = [
        json.loads(done.stdout)
        for model in (folder, archive)
        if not (done := secateur("eval", str(model), "--corpus", str(corpus), "--json")).returncode
    ]
    assert [record.pop("model") for record in heard] == [str(folder), str(archive)]
    assert heard[0] == heard[1]
    archive.write_bytes(archive.read_bytes()[:-9])
    assert_one_sentence(secateur("eval", str(archive), "--corpus", str(corpus)), "sew.secateur")
