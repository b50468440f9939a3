"""Files reach a device once and whole, whatever they or the connection suffer on their way."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.remote import there as device_side
from bench.remote.answers import Described, Started
from bench.remote.connection import Link
from bench.remote.courier import Folder, Parcel, Report, ask, kept_up, place
from bench.remote.work import Worker
from speech.errors import BadInput
from tests.privileges import give_up_privileges
from tests.remote.conftest import PATIENCE
from tests.remote.sshd import Board

MEBIBYTE = 1 << 20


def parcel(folder: Path, seed: int, size: int) -> Parcel:
    path = folder / f"{seed}.bin"
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return Parcel.of(path)


def bring(link: Link, parcels: list[Parcel], report: Report) -> str:
    """A folder of these; gives its place."""
    name = "-".join(parcel.source.stem for parcel in parcels)
    files = {f"in/{parcel.source.name}": parcel for parcel in parcels}
    return place(link, [Folder(name, files)], report)[name]


def ignore(label: str, done: int, total: int) -> None:
    pass


def there(board: Board, parcel: Parcel) -> Path:
    return board.cache / "store" / parcel.sha256


def test_what_is_there_is_not_sent_again(board: Board, worker: Worker, tmp_path: Path) -> None:
    first, second = parcel(tmp_path, 1, 3 * MEBIBYTE), parcel(tmp_path, 2, 10)
    sent: list[int] = []
    bring(worker.link, [first], lambda label, done, total: sent.append(total))
    bring(worker.link, [first, second], lambda label, done, total: sent.append(total))
    assert set(sent) == {3 * MEBIBYTE, 10}
    assert there(board, first).read_bytes() == first.source.read_bytes()
    inside = board.cache / "1-2" / "in"
    assert (inside / "1.bin").stat().st_ino == there(board, first).stat().st_ino
    assert (inside / "2.bin").read_bytes() == second.source.read_bytes()


def test_a_transfer_goes_on_where_the_connection_was_cut(
    board: Board, worker: Worker, tmp_path: Path
) -> None:
    large = parcel(tmp_path, 1, 8 * MEBIBYTE)
    heard: list[int] = []
    cuts: list[int] = []

    def cut_once(label: str, done: int, total: int) -> None:
        heard.append(done)
        if not cuts and done > 4 * MEBIBYTE:
            cuts.append(board.cut())

    said: list[str] = []
    kept_up(
        lambda: bring(worker.link, [large], cut_once),
        worker.link,
        PATIENCE,
        worker.stop,
        said.append,
    )
    assert there(board, large).read_bytes() == large.source.read_bytes()
    assert cuts == [1]
    assert "pi" in said[0]
    assert sum(done < MEBIBYTE for done in heard) < 4  # its beginning was not sent twice
    assert not list(there(board, large).parent.glob("*.part"))


def test_a_damaged_beginning_is_found_and_sent_anew(
    board: Board, worker: Worker, tmp_path: Path
) -> None:
    """As after a power cut that left zeros where bytes should be."""
    file = parcel(tmp_path, 1, 2 * MEBIBYTE)
    there(board, file).parent.mkdir(parents=True)
    there(board, file).with_suffix(".part").write_bytes(bytes(MEBIBYTE))
    bring(worker.link, [file], ignore)
    assert there(board, file).read_bytes() == file.source.read_bytes()


def test_a_file_that_always_arrives_damaged_blames_the_disk(
    board: Board, worker: Worker, tmp_path: Path
) -> None:
    file = parcel(tmp_path, 1, 100)
    wrong = Parcel(hashlib.sha256(b"other").hexdigest(), file.size, file.source)
    with pytest.raises(BadInput, match=r"1\.bin arrived damaged on pi 3 times.*memory card"):
        bring(worker.link, [wrong], ignore)
    assert not list(there(board, wrong).parent.iterdir())


def test_a_full_disk_is_one_sentence_and_what_arrived_is_kept(
    board: Board, worker: Worker, tmp_path: Path
) -> None:
    board.stop()
    board.start(largest_file=MEBIBYTE)
    file = parcel(tmp_path, 1, 4 * MEBIBYTE)
    with pytest.raises(BadInput, match=r"pi: its disk is full \(\d+ MiB free\): make room"):
        bring(worker.link, [file], ignore)
    board.stop()
    board.start()
    worker.link.drop()
    left: list[int] = []
    bring(worker.link, [file], lambda label, done, total: left.append(done))
    assert left[0] > MEBIBYTE // 2
    assert there(board, file).read_bytes() == file.source.read_bytes()


def test_a_cache_that_is_no_folder_of_ours_is_one_sentence(
    bare_board: Board, worker: Worker, tmp_path: Path
) -> None:
    bare_board.cache.parent.mkdir(parents=True)
    bare_board.cache.write_text("a file")
    with pytest.raises(
        BadInput, match=rf"^pi: {bare_board.cache}\S* cannot be used there \(.*give"
    ):
        bring(worker.link, [parcel(tmp_path, 1, 10)], ignore)


def test_what_cannot_be_deleted_is_not_told_as_freed(tmp_path: Path) -> None:
    sent = tmp_path / "bundle-1"
    sent.mkdir()
    (sent / "model.onnx").write_bytes(bytes(1000))
    tmp_path.chmod(0o555)
    cleaning = "from bench.remote.there.errand import main; main('clean', 'sent')"
    done = subprocess.run(
        [sys.executable, "-c", cleaning],
        env={**os.environ, "SECATEUR_CACHE": str(tmp_path)},
        preexec_fn=give_up_privileges,
        capture_output=True,
        text=True,
        check=True,
    )
    tmp_path.chmod(0o755)
    assert f"{tmp_path}/bundle-1" in json.loads(done.stdout)["problem"]


def test_no_path_leads_out_of_the_folder(board: Board, worker: Worker, tmp_path: Path) -> None:
    file = parcel(tmp_path, 1, 9)
    for path in ("../out", "/etc/out", "a/../../out"):
        with pytest.raises(BadInput, match="outside"):
            place(worker.link, [Folder("folder", {path: file})], ignore)
    assert not (board.cache / "folder").exists()


def test_words_reach_the_device_as_they_are(board: Board, worker: Worker) -> None:
    strange = "a b'c\"d$HOME;`id`\\*"
    with pytest.raises(BadInput) as refusal:
        ask(worker.link, Described, "describe", strange)
    assert f"no job {strange} on" in str(refusal.value)


def test_a_job_that_was_cut_short_on_its_way_is_not_kept(board: Board, worker: Worker) -> None:
    with pytest.raises(BadInput):
        words = ("start", "0123", "/python", "/code")
        ask(worker.link, Started, *words, data=b'{"version": 1, "id": "01')
    assert not (board.cache / "jobs").exists()


def test_the_probe_can_be_read_by_an_old_python() -> None:
    [folder] = device_side.__path__
    ast.parse((Path(folder) / "probe.py").read_text(), feature_version=(3, 7))


def test_what_runs_on_the_device_needs_nothing_installed() -> None:
    [folder] = device_side.__path__
    for path in Path(folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                ours = name.startswith("bench.remote.there.")
                assert ours or name.split(".")[0] in sys.stdlib_module_names, path
