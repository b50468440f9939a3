"""A bundle from anywhere gives an answer or one sentence: no traceback, no crash, no waiting."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from tests.export.exported import noise
from tests.hostile.conftest import in_time
from tests.hostile.variants import Hostile, variants

ALL = variants()
SOME = ALL[:: len(ALL) // 12]

Make = Callable[..., Path]


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 150
    assert {one.base for one in SOME} == {one.base for one in ALL}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one clip that is not taken for silence."""
    folder = tmp_path_factory.mktemp("speech")
    soundfile.write(folder / "a.wav", noise(0, 1.0), 16_000)
    (folder / "metadata.csv").write_text("file_name,transcription\na.wav,turn on the lights\n")
    return folder


def walk(hostile: Hostile, folder: Path, clip: Path) -> None:
    for words in (
        ["inspect", str(folder)],
        ["verify", str(folder)],
        ["transcribe", str(folder), str(clip)],
    ):
        done = in_time(*words)
        said = f"{words[0]}: {done.returncode}, {done.stderr[-2000:]}"
        assert done.returncode in (0, 2), said
        assert "Traceback" not in done.stderr, said
        if done.returncode == 2:
            assert done.stdout == "", said
            assert len(done.stderr.strip().splitlines()) == 1, said
            assert len(done.stderr) < 2000 and str(folder) in done.stderr, said
        else:
            assert len(done.stdout) < 10_000, said
        if words[0] == "verify":
            assert done.returncode == (0 if hostile.works else 2), said


@pytest.mark.parametrize("hostile", SOME, ids=lambda one: one.name)
def test_every_command_answers(hostile: Hostile, made: Make, speech: Path) -> None:
    walk(hostile, made(hostile), speech / "a.wav")


@pytest.mark.long
@pytest.mark.parametrize("hostile", ALL, ids=lambda one: one.name)
def test_every_command_answers_to_all_of_them(hostile: Hostile, made: Make, speech: Path) -> None:
    walk(hostile, made(hostile), speech / "a.wav")


@pytest.fixture
def bench(
    sound: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[Path]], None]:
    """Measures the bundles beside a sound one, whose results are to be seen in spite of them."""
    monkeypatch.setenv("SECATEUR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))

    def measure(hostile: list[Path]) -> None:
        words = ["--clips", str(speech), "--count", "1", "--samples", "1", "--json"]
        bundles = [*hostile, sound / "ctc"]
        done = in_time("bench", *map(str, bundles), *words, patience=30 * len(bundles))
        assert done.returncode in (0, 2), done.stderr[-2000:]
        assert "Traceback" not in done.stderr
        found = {Path(one["bundle"]): one for one in json.loads(done.stdout)}
        assert found[sound / "ctc"]["error"] is None and found[sound / "ctc"]["latency"]
        for folder in hostile:  # measured, failed, or never begun
            if folder not in found:
                (told,) = (line for line in done.stderr.splitlines() if f"{folder}" in line)
            else:
                told = found[folder]["error"] or ""
            assert len(told) < 2000 and "\n" not in told, told
        shown = in_time("results", "--json")
        assert shown.returncode == 0, shown.stderr
        assert any(one["latency_ms"] for one in json.loads(shown.stdout))

    return measure


def test_a_sound_bundle_is_measured_beside_them(
    bench: Callable[[list[Path]], None], made: Make
) -> None:
    bench([made(one, f"h{number:03}") for number, one in enumerate(SOME[::4])])


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_a_sound_bundle_is_measured_beside_all_of_them(
    part: int, bench: Callable[[list[Path]], None], made: Make
) -> None:
    bench([made(one, f"h{number:03}") for number, one in enumerate(ALL[part::8])])
