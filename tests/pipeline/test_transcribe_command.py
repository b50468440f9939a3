"""`secateur transcribe` as somebody calls it on a device."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from runtime.archive import pack
from runtime.recognizer import open_recognizer
from runtime.settings import Settings
from speech.audio import RATE
from tests.bench.conftest import make_greedy, write_tiny_bundle
from tests.export.exported import noise, sew, whisper
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.runtime.test_on_the_device import ABSENT

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit memory")

#: The command line where none of the libraries of a workstation can be imported.
ON_A_DEVICE = """
import json, sys
for name in json.loads(sys.argv.pop(1)):
    sys.modules[name] = None
from pipeline.cli import main
main()
"""

#: The command line where so many MB are all that there is.
WITH_LITTLE_MEMORY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv.pop(1)) << 20,) * 2)
from pipeline.cli import main
main()
"""


@pytest.fixture
def bundle() -> str:
    return str(sew()[1].folder)


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{number}.wav") for number in range(2)]
    for number, path in enumerate(paths):
        soundfile.write(path, noise(number, 2.0 + number), RATE, subtype="FLOAT")
    return paths


def heard(number: int, **settings: float) -> str:
    recognizer = open_recognizer(sew()[1], Settings(**settings))  # type: ignore[arg-type]
    return recognizer.transcribe(noise(number, 2.0 + number)).text


def test_one_file_is_its_text(bundle: str, clips: list[str]) -> None:
    done = secateur("transcribe", bundle, clips[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{heard(0)}\n", "")


def test_several_files_are_a_line_each(bundle: str, clips: list[str]) -> None:
    done = secateur("transcribe", bundle, *clips)
    assert done.stdout.splitlines() == [f"{clips[i]}: {heard(i)}" for i in range(2)]


def test_a_window_cuts_long_sound(bundle: str, clips: list[str]) -> None:
    done = secateur("transcribe", bundle, clips[1], "--window", "1")
    assert done.stdout.strip() == heard(1, window=1.0) != heard(1)


def test_json(bundle: str, clips: list[str]) -> None:
    done = secateur("transcribe", bundle, *clips, "--threads", "2", "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["file"] for record in records] == clips
    assert [record["text"] for record in records] == [heard(0), heard(1)]
    assert [record["audio_seconds"] for record in records] == [2.0, 3.0]
    assert all(record["tokens"] > 0 for record in records)
    assert set(records[0]["seconds"]) == {"features", "encode", "decode"}


@pytest.mark.parametrize("as_json", [False, True])
def test_the_others_are_heard_when_one_cannot_be(
    as_json: bool, bundle: str, clips: list[str], tmp_path: Path
) -> None:
    broken, missing = tmp_path / "broken.wav", tmp_path / "missing.wav"
    broken.write_bytes(Path(clips[0]).read_bytes()[:3_000])
    words = [str(missing), clips[0], str(broken), clips[1], *["--json"] * as_json]
    done = secateur("transcribe", bundle, *words)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"secateur: {missing} does not exist")
    assert second.startswith(f"secateur: {broken} is cut short")
    lines = done.stdout.splitlines()
    if as_json:
        records = [json.loads(line) for line in lines]
        assert [record.get("text") for record in records] == [None, heard(0), None, heard(1)]
        assert "does not exist" in records[0]["error"]
    else:
        assert lines == [f"{clips[i]}: {heard(i)}" for i in range(2)]


def test_an_archive_and_standard_input_without_the_libraries_of_a_workstation(
    clips: list[str], tmp_path: Path
) -> None:
    archive = tmp_path / "tiny.secateur"
    pack(whisper()[1].folder, archive, device_only=True)
    absent = json.dumps([*ABSENT, "rich", "textual", "datasets", "matplotlib"])
    done = subprocess.run(
        [sys.executable, "-c", ON_A_DEVICE, absent, "transcribe", str(archive), "-"],
        input=Path(clips[0]).read_bytes(),
        capture_output=True,
    )
    expected = open_recognizer(whisper()[1]).transcribe(noise(0, 2.0)).text
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout.decode() == f"{expected}\n"


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--threads", "0"], "'threads' is 0 and must be a whole number from 1"),
        (["--window", "0.1"], "'window' is 0.1 and must be seconds from 0.5"),
    ],
)
def test_impossible_settings_are_one_sentence(
    words: list[str], fragment: str, bundle: str, clips: list[str]
) -> None:
    assert_one_sentence(secateur("transcribe", bundle, clips[0], *words), fragment)


def test_a_window_beyond_whispers_is_one_sentence(clips: list[str]) -> None:
    folder = str(whisper()[1].folder)
    done = secateur("transcribe", folder, clips[0], "--window", "30")
    assert_one_sentence(done, "'window' is 30 s", folder, "hears at most 4 s")


def test_no_bundle_is_one_sentence(clips: list[str], tmp_path: Path) -> None:
    done = secateur("transcribe", str(tmp_path), clips[0])
    assert_one_sentence(done, f"{tmp_path} is not a bundle")


def test_silence_has_no_text(bundle: str, tmp_path: Path) -> None:
    faint = np.random.default_rng(0).normal(0, 1e-4, RATE).astype(np.float32)
    soundfile.write(tmp_path / "faint.wav", faint, RATE, subtype="FLOAT")
    done = secateur("transcribe", bundle, str(tmp_path / "faint.wav"))
    assert (done.returncode, done.stdout) == (0, "\n")


def with_little_memory(megabytes: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY, str(megabytes), "transcribe", *words]
    return subprocess.run(command, capture_output=True, text=True)


@linux_only
def test_a_model_that_wants_more_memory_than_there_is(clips: list[str], tmp_path: Path) -> None:
    greedy = write_tiny_bundle(tmp_path / "greedy", "greedy")
    make_greedy(greedy)
    done = with_little_memory(400, str(greedy), clips[0])
    assert_one_sentence(done, f"onnxruntime cannot run {greedy} (", "): memory ran out; end other")
