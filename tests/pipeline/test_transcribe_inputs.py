"""`secateur transcribe` of whatever somebody may name: the text, or one sentence."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from runtime.recognizer import open_recognizer
from speech.audio import RATE
from tests.export.exported import noise, sew
from tests.pipeline.command_line import assert_one_sentence, fresh_secateur, secateur


@pytest.fixture
def bundle() -> str:
    return str(sew()[1].folder)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "clip.wav", noise(0, 2.0), RATE, subtype="FLOAT")
    return tmp_path / "clip.wav"


def text() -> str:
    return open_recognizer(sew()[1]).transcribe(noise(0, 2.0)).text


def shell(line: str, *words: str) -> subprocess.CompletedProcess[str]:
    """As `sh` runs it; $SECATEUR is the command, $1 the first word."""
    command = f"{sys.executable} -m pipeline"
    return subprocess.run(
        ["sh", "-c", line.replace("$SECATEUR", command), "sh", *words],
        capture_output=True,
        text=True,
        timeout=100,
    )


ODD = {
    "a folder": "is a folder, not a sound file",
    "a device": "is a device, not a sound file",
    "nothing": "does not exist",
    "0 bytes": "is an empty file (0 bytes)",
    "0 samples": "zero length",
    "NaN": "NaN or infinite",
    "beyond floats": "NaN or infinite",
    "text": "is not a sound file",
    "1 Hz": "has 1 samples a second",
}


def odd(kind: str, place: Path) -> Path:
    match kind:
        case "a folder":
            place.mkdir()
        case "a device":
            return Path(os.devnull)
        case "nothing":
            pass
        case "0 bytes":
            place.touch()
        case "0 samples":
            soundfile.write(place, np.zeros(0), RATE)
        case "NaN":
            soundfile.write(place, np.array([0.1, np.nan]), RATE, subtype="DOUBLE")
        case "beyond floats":
            soundfile.write(place, np.array([0.1, 1e300]), RATE, subtype="DOUBLE")
        case "text":
            place.write_text("this is not a recording " * 100)
        case _:
            soundfile.write(place, np.ones(100) / 2, 1)
    return place


def test_one_bad_file_never_stops_the_others(bundle: str, clip: Path, tmp_path: Path) -> None:
    """All kinds in one call, a good file after each."""
    bad = [odd(kind, tmp_path / f"{number}.wav") for number, kind in enumerate(ODD)]
    words = [str(word) for path in bad for word in (path, clip)]
    done = secateur("transcribe", bundle, *words)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [f"{clip}: {text()}"] * len(ODD)
    sentences = done.stderr.splitlines()
    for path, fragment, sentence in zip(bad, ODD.values(), sentences, strict=True):
        assert sentence.startswith(f"secateur: {path} ")
        assert fragment in sentence

    records = secateur("transcribe", bundle, *words, "--json").stdout.splitlines()
    for path, line in zip(words, records, strict=True):
        record = json.loads(line)
        assert record["file"] == path
        assert record.keys() & {"text", "error"} == {"text" if path == str(clip) else "error"}


SOUND = {
    "one sample": (np.ones(1) / 2, RATE),
    "8 kHz": (noise(1, 2.0)[::2], 8_000),
    "192 kHz": (np.repeat(noise(1, 2.0), 12), 192_000),
    "32 channels": (np.repeat(noise(1, 2.0)[:, None], 32, axis=1), RATE),
}


@pytest.mark.parametrize(("samples", "rate"), SOUND.values(), ids=SOUND.keys())
def test_any_rate_and_channels(bundle: str, tmp_path: Path, samples: Any, rate: int) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, rate, subtype="DOUBLE")
    done = secateur("transcribe", bundle, str(path), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record["audio_seconds"] == len(samples) / rate
    assert (record["text"] != "") == (len(samples) > 1)


def test_channels_that_cancel_each_other_out_are_reported(bundle: str, tmp_path: Path) -> None:
    path, one = tmp_path / "swapped.wav", noise(0, 2.0)
    soundfile.write(path, np.stack([0.9 * one, -one], axis=1), RATE, subtype="FLOAT")
    done = secateur("transcribe", bundle, str(path))
    expected = open_recognizer(sew()[1]).transcribe(-one).text
    assert (done.returncode, done.stdout) == (0, f"{expected}\n")
    assert done.stderr == (
        f"secateur: {path}: its channels cancel each other out, so channel 2 is transcribed "
        "alone.\n"
    )


def test_a_name_that_is_not_utf_8(bundle: str, clip: Path) -> None:
    odd_name, missing = f"{clip.parent}/\udcff.wav", f"{clip.parent}/\udcfe"
    try:
        clip.rename(odd_name)
    except OSError:
        pytest.skip("this disk has no such names")
    done = fresh_secateur("transcribe", bundle, odd_name, missing)
    assert done.returncode == 2
    assert done.stdout.endswith(f"ff.wav: {text()}\n")
    assert "does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (first, _) = fresh_secateur(
        "transcribe", bundle, odd_name, missing, "--json"
    ).stdout.splitlines()
    assert json.loads(first)["file"] == odd_name


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("$SECATEUR transcribe $1 - <&-", "Standard input is empty or closed"),
        ("$SECATEUR transcribe $1 - </dev/null", "Standard input is empty or closed"),
        ("printf '' | $SECATEUR transcribe $1 -", "Standard input is empty or closed"),
        ("echo hello | $SECATEUR transcribe $1 -", "Standard input is not a sound file"),
    ],
)
def test_standard_input_without_sound(line: str, fragment: str, bundle: str) -> None:
    assert_one_sentence(shell(line, bundle), fragment)


@pytest.mark.parametrize(
    "line",
    [
        "$SECATEUR transcribe $1 - <$2",
        "cat $2 | $SECATEUR transcribe $1 -",
        "cat $2 | $SECATEUR transcribe $1 /dev/stdin",
    ],
)
def test_standard_input(line: str, bundle: str, clip: Path) -> None:
    done = shell(line, bundle, str(clip))
    assert (done.returncode, done.stdout) == (0, f"{text()}\n"), done.stderr


def test_a_named_pipe(bundle: str, clip: Path, tmp_path: Path) -> None:
    """Its other end is opened late."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Timer(0.5, lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    done = secateur("transcribe", bundle, str(pipe))
    writer.join()
    assert (done.returncode, done.stdout) == (0, f"{text()}\n"), done.stderr


def test_a_pipe_of_more_than_is_kept_in_memory(
    bundle: str, clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("speech.opened_file._IN_MEMORY", 1_000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    done = secateur("transcribe", bundle, str(pipe), TMPDIR=str(tmp_path))
    writer.join()
    assert (done.returncode, done.stdout) == (0, f"{text()}\n"), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.wav", "pipe"]


def test_a_named_pipe_that_nobody_writes_into(
    bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("speech.opened_file._PATIENCE", 0.3)
    os.mkfifo(tmp_path / "pipe")
    done = secateur("transcribe", bundle, str(tmp_path / "pipe"))
    assert_one_sentence(done, f"{tmp_path / 'pipe'} is a pipe that nobody wrote into")


def test_a_bad_clip_of_a_corpus_is_one_sentence(bundle: str, clip: Path) -> None:
    (clip.parent / "bad.flac").write_bytes(b"fLaC")
    rows = [{"file_name": name, "text": "a"} for name in ("clip.wav", "bad.flac")]
    (clip.parent / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = secateur("eval", bundle, "--corpus", str(clip.parent))
    assert_one_sentence(done, f"{clip.parent / 'bad.flac'} is not a sound file")
