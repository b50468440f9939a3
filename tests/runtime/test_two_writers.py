"""Several processes write one file or folder at once, and what is there in the end is one's."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.remote.devices import changed_devices, new_device, read_devices
from bench.results import read_results
from pipeline.commands.bench_outcome import _add
from runtime.archive import opened, pack
from runtime.beside import alone_in
from runtime.whole_folder import whole_file, written_whole
from speech.errors import BadInput
from tests.bench.conftest import write_tiny_bundle
from tests.pipeline.command_line import secateur
from tests.tui.measured import measurement

WRITERS = 4
_FORK = multiprocessing.get_context("fork")


def at_once(write: Callable[[int], None]) -> list[str]:
    """What became of each: "" for done, or its one sentence."""
    together, said = _FORK.Barrier(WRITERS), _FORK.SimpleQueue()

    def process(number: int) -> None:
        together.wait()
        try:
            write(number)
            said.put("")
        except Exception as error:
            said.put(f"{type(error).__name__}: {error}")

    processes = [_FORK.Process(target=process, args=(n,)) for n in range(WRITERS)]
    for one in processes:
        one.start()
    ends = [said.get() for _ in processes]
    for one in processes:
        one.join()
    assert [one.exitcode for one in processes] == [0] * WRITERS
    return ends


def pieces(number: int) -> list[bytes]:
    return [bytes([number]) * 100_000] * 20


@pytest.mark.parametrize("may_replace", [True, False])
def test_a_file_is_one_writers_from_end_to_end(tmp_path: Path, may_replace: bool) -> None:
    file = tmp_path / "packed"

    def write(number: int) -> None:
        with whole_file(file, replace=may_replace) as out:
            for piece in pieces(number):
                out.write(piece)

    ends = at_once(write)
    assert file.read_bytes() in [b"".join(pieces(number)) for number in range(WRITERS)]
    assert ends.count("") == (WRITERS if may_replace else 1)
    assert all(end == "" or "exists: choose another one" in end for end in ends)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("may_replace", [True, False])
def test_a_folder_is_one_writers_with_all_its_files(tmp_path: Path, may_replace: bool) -> None:
    folder = tmp_path / "bundle"
    if may_replace:
        folder.mkdir()

    def write(number: int) -> None:
        with written_whole(folder, replace=may_replace) as place:
            for name, piece in enumerate(pieces(number)):
                (place / str(name)).write_bytes(piece)

    ends = at_once(write)
    found = [(folder / str(name)).read_bytes() for name in range(20)]
    assert found in [pieces(number) for number in range(WRITERS)]
    assert ends.count("") == (WRITERS if may_replace else 1)
    assert all(end == "" or "not an empty folder" in end for end in ends)
    assert list(tmp_path.iterdir()) == [folder]


def test_of_several_unpackings_one_gets_the_folder_and_the_others_a_sentence(
    tmp_path: Path,
) -> None:
    pack(write_tiny_bundle(tmp_path / "tiny", "tiny"), tmp_path / "tiny.secateur")
    words = ("unpack", str(tmp_path / "tiny.secateur"), "-o", str(tmp_path / "out"))

    def unpack(_: int) -> None:
        done = secateur(*words)
        if done.returncode:
            raise BadInput(f"{done.returncode}: {done.stderr}")

    ends = at_once(unpack)
    assert ends.count("") == 1
    assert all(end == "" or end.startswith("BadInput: 2: secateur: ") for end in ends)
    with opened(tmp_path / "out", check_hashes=True) as bundle:
        assert bundle.manifest.name == "tiny"


def test_no_device_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECATEUR_CONFIG", str(tmp_path / "config"))

    def add(number: int) -> None:
        for turn in range(5):
            with changed_devices() as devices:
                name = f"pi-{number}-{turn}"
                devices[name] = new_device(name, "pi@somewhere")

    assert at_once(add) == [""] * WRITERS
    assert len(read_devices()) == 1 + 5 * WRITERS


def test_no_measurement_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"

    def add(number: int) -> None:
        for turn in range(5):
            name = f"job-{number}-{turn}"
            _add(file, [replace(measurement(name, "obs", 0.5, 0.1, 10.0), job=name)])

    assert at_once(add) == [""] * WRITERS
    assert len({found.name for found in read_results(file)}) == 5 * WRITERS


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from runtime.whole_folder import whole_file\n"
        f"with whole_file(Path({str(tmp_path / 'file')!r})) as out:\n"
        "    print('begun', flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout and writer.stdout.readline()
        [unfinished] = tmp_path.iterdir()
        with whole_file(tmp_path / "file", replace=True) as out:
            out.write(b"second")
        assert unfinished.exists()
        writer.kill()
    with whole_file(tmp_path / "file", replace=True):
        assert not unfinished.exists()


def test_modes_are_as_the_user_wants_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "file") as out:
            out.write(b"")
        with written_whole(tmp_path / "folder") as place:
            (place / "inside").touch()
        _add(tmp_path / "results.jsonl", [measurement("one", "obs", 0.5, 0.1, 10.0)])
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"file": 0o640, "folder": 0o750, "inside": 0o640, "results.jsonl": 0o640}


@pytest.mark.timeout(30)
def test_who_is_alone_may_write_there_and_another_thread_waits(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with alone_in(tmp_path):
            order.append("second")

    with alone_in(tmp_path):
        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        with (
            written_whole(tmp_path / "folder", replace=True) as place,
            written_whole(place / "inner", replace=True),
            whole_file(place / "file") as out,
        ):
            out.write(b"x")
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
