"""A packed bundle comes out as it went in, and what cannot be packed or unpacked leaves nothing."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from runtime.archive import contents, opened, pack, unpack
from runtime.bundle import Bundle
from speech.errors import BadInput
from tests.runtime.archives import FILES, compressed, entries, everything, small_bundle
from tests.runtime.graphs import empty_graph

ODD_FILES = {
    "onnx/model.onnx": empty_graph(random.Random(0).randbytes(3_000_000)),
    "vocab.json": b"",
    "pytorch/a name with spaces": b"x" * 512,
    "pytorch/größe-模型-🗜.json": b"x" * 511,
    "a/b/c/d/" + "e" * 120: b"x" * 513,
    "/".join(["f" * 99] * 9): b"too long for a tar's own header",
    **{f"many/{number}": str(number).encode() for number in range(300)},
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("files", [FILES, ODD_FILES])
def test_it_comes_out_byte_for_byte(files: dict[str, bytes], tmp_path: Path) -> None:
    folder = small_bundle(tmp_path / "tiny", files).folder
    pack(folder, tmp_path / "packed")
    bundle = unpack(tmp_path / "packed", tmp_path / "out")
    assert bundle == Bundle.open(tmp_path / "out", check_hashes=True)
    assert everything(tmp_path / "out") == everything(folder)
    assert names(tmp_path) == ["out", "packed", "tiny"]


def test_the_same_bundle_gives_the_same_bytes(archive: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(folder, other, copy_function=shutil.copyfile)
    (other / "stray").touch()
    (other / "vocab.json").chmod(0o600)
    os.utime(other / "vocab.json", (1, 1))
    pack(other, tmp_path / "again.secateur")
    assert (tmp_path / "again.secateur").read_bytes() == archive.read_bytes()
    unpack(archive, tmp_path / "out")
    pack(tmp_path / "out", archive, replace=True)
    assert (tmp_path / "again.secateur").read_bytes() == archive.read_bytes()


def test_any_tar_reads_it_and_finds_the_manifest_first(archive: Path) -> None:
    tar = zstandard.ZstdDecompressor().decompress(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(tar)) as reader:
        members = reader.getmembers()
    assert [member.name for member in members] == ["bundle.json", *FILES]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o644)
    }


@pytest.mark.parametrize("with_size", [True, False])
def test_a_tar_of_someone_else_is_as_good(folder: Path, tmp_path: Path, with_size: bool) -> None:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as writer:
        for name in ["bundle.json", *reversed(FILES)]:
            writer.add(folder / name, arcname=name)
    packer = zstandard.ZstdCompressor(write_content_size=with_size)
    (tmp_path / "packed").write_bytes(packer.compress(tar.getvalue()))
    assert everything(unpack(tmp_path / "packed", tmp_path / "out").folder) == everything(folder)


def test_the_checkpoint_may_stay_at_home(folder: Path, tmp_path: Path) -> None:
    packed, out, again = (tmp_path / name for name in ("packed", "out", "again"))
    pack(folder, packed, device_only=True)
    bundle = unpack(packed, out)
    assert set(everything(out)) == {"bundle.json", "onnx/model.onnx", "vocab.json"}
    assert bundle.manifest == Bundle.open(folder).manifest
    pack(out, again, device_only=True)
    assert again.read_bytes() == packed.read_bytes()
    with pytest.raises(BadInput, match=r"pytorch/config\.json .* is missing"):
        pack(out, tmp_path / "whole")
    assert [file.path for file in contents(packed).files] == ["onnx/model.onnx", "vocab.json"]


def test_the_contents_are_those_of_the_folder(archive: Path, folder: Path, tmp_path: Path) -> None:
    before = names(tmp_path)
    assert contents(archive) == contents(folder)
    assert contents(archive).sha256 == Bundle.open(folder).sha256
    assert contents(archive).files == Bundle.open(folder).manifest.files
    assert names(tmp_path) == before


def test_either_is_opened_and_a_complaint_names_what_was_given(archive: Path, folder: Path) -> None:
    with opened(folder) as bundle:
        assert bundle.folder == folder
    with opened(archive) as bundle:
        assert everything(bundle.folder) == everything(folder)
    assert not bundle.folder.exists()
    with pytest.raises(BadInput, match=f"{archive}/onnx is bad"), opened(archive) as bundle:
        raise BadInput(f"{bundle.folder}/onnx is bad")
    assert not bundle.folder.exists()
    for missing in (folder / "no", Path("x" * 999)):
        with pytest.raises(BadInput, match=r"does not exist|cannot be read"), opened(missing):
            pass


def test_a_folder_is_hashed_only_when_asked(folder: Path) -> None:
    (folder / "vocab.json").write_bytes(b"[]")
    with opened(folder):
        pass
    with pytest.raises(BadInput, match=r"vocab\.json"), opened(folder, check_hashes=True):
        pass


def test_no_temporary_folder_is_a_sentence(
    archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="TMPDIR"), opened(archive):
        pass


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    files = {**FILES, "onnx/model.onnx": empty_graph(bytes(3 << 20))}
    folder, packed = small_bundle(tmp_path / "tiny", files).folder, tmp_path / "packed"
    told: list[tuple[str, int, int]] = []

    def report(label: str, done: int, total: int) -> None:
        told.append((label, done, total))

    pack(folder, packed, report=report)
    unpack(packed, tmp_path / "out", report=report)
    contents(packed, report=report)
    with opened(folder, check_hashes=True, report=report):
        pass
    for work in ("packing", "unpacking", "reading", "hashing"):
        done = [count for label, count, total in told if (label, total) == (f"{work}, MiB", 4)]
        assert done == sorted(done) and {1, 2, 3} <= set(done)


@pytest.mark.parametrize("path", FILES)
def test_a_changed_or_missing_file_is_not_packed(folder: Path, tmp_path: Path, path: str) -> None:
    data = bytearray(FILES[path])
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)
    with pytest.raises(BadInput, match=f"{path} .* has changed"):
        pack(folder, tmp_path / "packed")
    (folder / path).unlink()
    with pytest.raises(BadInput, match=f"{path} .* is missing"):
        pack(folder, tmp_path / "packed")
    assert names(tmp_path) == ["tiny"]


def test_a_file_that_is_there_gives_way_only_when_told(archive: Path, folder: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(b"mine")
    with pytest.raises(BadInput, match="exists"):
        pack(folder, archive)
    assert archive.read_bytes() == b"mine"
    (folder / "vocab.json").rename(folder / "kept")
    with pytest.raises(BadInput, match="missing"):
        pack(folder, archive, replace=True)
    assert archive.read_bytes() == b"mine"
    (folder / "kept").rename(folder / "vocab.json")
    pack(folder, archive, replace=True)
    assert archive.read_bytes() == whole


def test_places_where_no_archive_can_go(archive: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(archive)
    (tmp_path / "empty").mkdir()
    for place, fault in [
        (tmp_path / "empty", "no plain file"),
        (tmp_path / "link", "no plain file"),
        (Path(os.devnull), "no plain file"),
        (folder / "packed", "in the bundle itself"),
        (archive / "packed", "cannot be written"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ]:
        with pytest.raises(BadInput, match=fault):
            pack(folder, place, replace=True)
    assert names(tmp_path) == ["empty", "link", "tiny", "tiny.secateur"]


def test_places_where_no_bundle_can_go(archive: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for place in (folder, archive, tmp_path / "link", archive / "out", tmp_path / ("x" * 300)):
        before = everything(tmp_path)
        with pytest.raises(BadInput):
            unpack(archive, place)
        assert everything(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert everything(unpack(archive, tmp_path / "empty").folder) == everything(folder)


def test_a_file_that_is_no_archive(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for data in (b"", b"P", b"PK\3\4" + bytes(50), zstandard.FRAME_HEADER, b"\x50\x2a\x4d\x18" * 9):
        other.write_bytes(data)
        with pytest.raises(BadInput, match=r"other is (no \.secateur archive|damaged)"):
            unpack(other, tmp_path / "out")
    for place in (folder, tmp_path / "none"):
        with pytest.raises(BadInput, match="is no file"):
            unpack(place, tmp_path / "out")
    assert names(tmp_path) == ["other", "tiny"]


class Usage(NamedTuple):
    free: int


def test_what_is_too_large_is_refused_before_anything_is_written(
    archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(map(len, FILES.values()))
    with pytest.raises(BadInput, match=f"unpacks to {size} bytes, more than the limit"):
        unpack(archive, tmp_path / "out", limit=size - 1)
    with pytest.raises(BadInput, match="more than the limit"):
        contents(archive, limit=size - 1)
    assert contents(archive, limit=size)
    monkeypatch.setattr("runtime.archive.written_whole", None)  # would fail if it came to that
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=size))
    with pytest.raises(BadInput, match=r"The disk has 0 MiB of room, and .*out would take 1 MiB"):
        unpack(archive, tmp_path / "out")
    assert names(tmp_path) == ["tiny", "tiny.secateur"]


def test_what_stays_at_home_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {**FILES, "pytorch/model.safetensors": bytes(9 << 20)}
    folder, packed = small_bundle(tmp_path / "tiny", files).folder, tmp_path / "packed"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=1 << 20))
    pack(folder, packed, device_only=True)
    unpack(packed, tmp_path / "out")
    pack(folder, packed, replace=True)
    with pytest.raises(BadInput, match="would take 10 MiB"):
        unpack(packed, tmp_path / "whole")


def test_a_manifest_too_large_to_be_read_is_not_packed(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["provenance"]["notes"] = ["x" * 999_999] * 5
    (folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match="leave something out"):
        pack(folder, tmp_path / "packed")
    made = entries(folder)
    (tmp_path / "packed").write_bytes(compressed(b"".join(made.values())))
    with pytest.raises(BadInput, match=r"a bundle\.json of \d+ bytes, more than"):
        unpack(tmp_path / "packed", tmp_path / "out")
    assert names(tmp_path) == ["packed", "tiny"]


UNPACK = """
import pathlib, sys
from runtime.archive import pack, unpack
before = [line.split() for line in open("/proc/self/status") if "VmHWM" in line]
pack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
unpack(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
after = [line.split() for line in open("/proc/self/status") if "VmHWM" in line]
print(int(after[0][1]) - int(before[0][1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    grown: list[int] = []
    for size in (4 << 20, 128 << 20):
        files: dict[str, Any] = {**FILES, "onnx/model.onnx": empty_graph(bytes(size))}
        folder = small_bundle(tmp_path / str(size), files).folder
        words = [str(folder), f"{folder}.secateur", f"{folder}.out"]
        done = subprocess.run(
            [sys.executable, "-c", UNPACK, *words], capture_output=True, text=True, check=True
        )
        grown.append(int(done.stdout))
    assert grown[1] - grown[0] < 32 << 10  # KiB
