"""Whatever else is in an archive, it is one sentence, and nothing is left of it."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from runtime.archive import contents, unpack
from speech.errors import BadInput
from tests.runtime.archives import (
    FILES,
    compressed,
    entries,
    entry,
    padded,
)

Made = dict[str, bytes]
MODEL, VOCAB = "onnx/model.onnx", "vocab.json"


def complaint(file: Path) -> str:
    """What is said about an archive, of which nothing may be left on the disk."""
    place = file.parent / "out"
    before = sorted(file.parent.rglob("*"))
    said = []
    for read in (lambda: unpack(file, place), lambda: contents(file)):
        with pytest.raises(BadInput) as caught:
            read()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0] and str(file) in said[0]
    assert sorted(file.parent.rglob("*")) == before
    return said[0]


def extended(name: str, rows: bytes, data: bytes = b"") -> bytes:
    """A file with a header before it that says more about it."""
    return entry("pax", rows, type=tarfile.XHDTYPE) + entry(name, data)


def row(text: str) -> bytes:
    length = next(n for n in range(99) if n == len(f"{n} {text}\n".encode()))
    return f"{length} {text}\n".encode()


def listing(made: Made, edit: Callable[[dict[str, Any]], object]) -> Made:
    """The same archive with another manifest."""
    manifest = json.loads(made["bundle.json"][tarfile.BLOCKSIZE :].rstrip(b"\0"))
    edit(manifest)
    return made | {"bundle.json": entry("bundle.json", json.dumps(manifest).encode())}


def with_manifest(made: Made, text: bytes) -> Made:
    return made | {"bundle.json": entry("bundle.json", text)}


def before_end(made: Made, more: bytes) -> Made:
    return {**{name: data for name, data in made.items() if name}, "more": more, "": made[""]}


def in_place_of(made: Made, name: str, other: bytes) -> Made:
    return {**made, name: other}


def without(made: Made, *names: str) -> Made:
    return {name: data for name, data in made.items() if name not in names}


HUGE = 1 << 40
DEEP = "pytorch/" + "d/" * 1500 + "x"

ATTACKS: dict[str, tuple[Callable[[Made], Made], str]] = {
    name: (attack, fault)
    for name, attack, fault in [
        ("an absolute path", lambda m: before_end(m, entry("/etc/cron.d/x")), "does not list"),
        ("a way out", lambda m: before_end(m, entry("../x")), "'../x', which its bundle.json"),
        ("a way round", lambda m: before_end(m, entry("onnx/../../x")), "does not list"),
        ("a dot", lambda m: before_end(m, entry("./vocab.json")), "does not list"),
        ("an unlisted file", lambda m: before_end(m, entry("setup.py")), "does not list"),
        ("a strange name", lambda m: before_end(m, entry("a\nb\x1b[2J")), "does not list"),
        ("an empty name", lambda m: before_end(m, entry("")), "does not list"),
        ("a name in no encoding", lambda m: before_end(m, entry("\udcff")), "no clear name"),
        ("a file twice", lambda m: before_end(m, m[VOCAB]), "'vocab.json' twice"),
        ("bundle.json twice", lambda m: before_end(m, m["bundle.json"]), "'bundle.json' twice"),
        ("no bundle.json", lambda m: without(m, "bundle.json"), "does not begin with"),
        ("nothing", lambda m: {"": m[""]}, "does not begin with"),
        ("no bytes at all", lambda m: {}, "ends too early"),
        (
            "bundle.json at the end",
            lambda m: before_end(without(m, "bundle.json"), m["bundle.json"]),
            "does not begin with",
        ),
        ("a missing file", lambda m: without(m, VOCAB), "lacks 'vocab.json'"),
        ("half a checkpoint", lambda m: without(m, "pytorch/config.json"), "lacks 'pytorch/conf"),
        ("no end", lambda m: without(m, ""), "ends too early"),
        ("half an end", lambda m: m | {"": bytes(512)}, "does not end"),
        ("zeros without end", lambda m: m | {"": bytes(64 << 20)}, "does not end"),
        ("something behind", lambda m: m | {"": m[""] + entry("x")}, "does not end"),
        ("a file too long", lambda m: in_place_of(m, VOCAB, entry(VOCAB, b"[] ")), "3 bytes of"),
        ("a file too short", lambda m: in_place_of(m, VOCAB, entry(VOCAB, b"1")), "1 bytes of"),
        ("other bytes", lambda m: in_place_of(m, VOCAB, entry(VOCAB, b"[]")), "holds another"),
        (
            "a size of petabytes",
            lambda m: in_place_of(m, VOCAB, entry(VOCAB, size=HUGE)),
            f"{HUGE} bytes of 'vocab.json' instead of 2",
        ),
        (
            "a size below nothing",
            lambda m: in_place_of(m, VOCAB, negative(entry(VOCAB))),
            "no plain file",
        ),
        (
            "a manifest below nothing",
            lambda m: in_place_of(m, "bundle.json", negative(entry("bundle.json"))),
            "no plain file",
        ),
        (
            "a manifest without end",
            lambda m: in_place_of(m, "bundle.json", entry("bundle.json", size=HUGE)),
            "more than 4194304",
        ),
        (
            "a listed size of petabytes",
            lambda m: listing(m, lambda d: d["files"][0].update(size=HUGE)),
            "more than the limit",
        ),
        (
            "a listed way out",
            lambda m: listing(m, lambda d: d["files"][0].update(path="../x")),
            "leads out",
        ),
        (
            "a path without end",
            lambda m: listing(m, lambda d: d["files"].append(d["files"][0] | {"path": DEEP})),
            "folders deep",
        ),
        (
            "a file where a folder is",
            lambda m: before_end(
                listing(m, lambda d: d["files"].append({**d["files"][0], "path": f"{MODEL}/x"})),
                entry(f"{MODEL}/x", FILES[MODEL]),
            ),
            "cannot be written",
        ),
        (
            "something between",
            lambda m: m | {VOCAB: m[VOCAB][:-1] + b"x"},
            "something between",
        ),
        ("a header that is none", lambda m: before_end(m, b"x" * 512), "is damaged"),
        ("half a header", lambda m: m | {"": b"x" * 100}, "ends too early"),
        ("no JSON", lambda m: with_manifest(m, b"{"), "not valid JSON"),
        ("no text", lambda m: with_manifest(m, b'"\xff"'), "not valid JSON"),
        ("another encoding", lambda m: with_manifest(m, "{}".encode("utf-16")), "not valid JSON"),
        ("no object", lambda m: with_manifest(m, b"[]"), "not a JSON object"),
        ("not a number", lambda m: with_manifest(m, b'{"schema": NaN}'), "NaN is no JSON"),
        ("too deep", lambda m: with_manifest(m, b"[" * 200_000), "not valid JSON"),
        ("a long number", lambda m: with_manifest(m, b'{"a": 1' + b"0" * 4000 + b"}"), "digits"),
        ("a foreign row", lambda m: before_end(m, extended("x", row("linkpath=/"))), "no clear"),
        ("rows of nothing", lambda m: before_end(m, extended("x", b"")), "a name of 0 bytes"),
        ("rows too long", lambda m: before_end(m, extended("x", bytes(65537))), "a name of 65537"),
        ("rows cut short", lambda m: before_end(m, extended("x", b"99 path=x\n")), "no clear"),
        ("rows without end", lambda m: before_end(m, extended("x", b"0 " * 9)), "no clear"),
        ("rows in no order", lambda m: before_end(m, extended("x", b"-1 path=x\n")), "no clear"),
        ("a row of no size", lambda m: before_end(m, extended("x", row("size=x"))), "no clear"),
        (
            "a row of a huge size",
            lambda m: in_place_of(m, VOCAB, extended(VOCAB, row(f"size={HUGE}"))),
            f"{HUGE} bytes",
        ),
        (
            "a row below nothing",
            lambda m: in_place_of(m, VOCAB, extended(VOCAB, row("size=-2"), b"{}")),
            "no plain file",
        ),
        (
            "a listed name for an unlisted file's row",
            lambda m: before_end(m, extended(VOCAB, row("path=../x"))),
            "'../x', which",
        ),
        ("rows of rows", lambda m: before_end(m, rows_of_rows()), "no plain file"),
        ("rows about nothing", lambda m: before_end(m, padded(b"") + lone_rows()), "should begin"),
    ]
}

KINDS = {
    "a symbolic link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "a hard link": {"type": tarfile.LNKTYPE, "linkname": "onnx/model.onnx"},
    "a folder": {"type": tarfile.DIRTYPE},
    "a device": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
    "a disk": {"type": tarfile.BLKTYPE},
    "a pipe": {"type": tarfile.FIFOTYPE},
    "a reserved kind": {"type": tarfile.CONTTYPE},
    "a sparse file": {"type": tarfile.GNUTYPE_SPARSE},
    "a long name": {"type": tarfile.GNUTYPE_LONGNAME},
    "a global header": {"type": tarfile.XGLTYPE},
    "an unknown kind": {"type": b"Z"},
}


def negative(made: bytes) -> bytes:
    """A header whose size is -1, in the base 256 that GNU's tar writes."""
    head = bytearray(made[: tarfile.BLOCKSIZE])
    head[124:136] = b"\xff" * 12
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def rows_of_rows() -> bytes:
    return entry("pax", row("path=x"), type=tarfile.XHDTYPE) * 2 + entry("x")


def lone_rows() -> bytes:
    return entry("pax", row("path=x"), type=tarfile.XHDTYPE)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_a_bundle_has_not(name: str, folder: Path, tmp_path: Path) -> None:
    attack, fault = ATTACKS[name]
    file = tmp_path / "bad.secateur"
    file.write_bytes(compressed(b"".join(attack(entries(folder)).values())))
    if name == "a file where a folder is":  # which is seen only when it is written
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(BadInput, match=fault):
            unpack(file, tmp_path / "out")
        assert sorted(tmp_path.rglob("*")) == before
    else:
        assert fault in complaint(file)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [VOCAB, "pytorch/config.json"])
def test_what_is_no_plain_file(kind: str, name: str, folder: Path, tmp_path: Path) -> None:
    """Under a listed name, and of the listed size where it has any."""
    made = entries(folder)
    file = tmp_path / "bad.secateur"
    file.write_bytes(
        compressed(b"".join({**made, name: entry(name, FILES[name], **KINDS[kind])}.values()))
    )
    assert f"'{name}" in (said := complaint(file)) and "no plain file" in said


def test_links_to_write_through(folder: Path, tmp_path: Path) -> None:
    """A link to a folder first, then a file that would lie behind it."""
    made = entries(folder)
    link = entry("onnx", type=tarfile.SYMTYPE, linkname=str(tmp_path / "target"))
    (tmp_path / "target").mkdir()
    file = tmp_path / "bad.secateur"
    file.write_bytes(compressed(made.pop("bundle.json") + link + b"".join(made.values())))
    assert "'onnx', which is no plain file" in complaint(file)
    assert list((tmp_path / "target").iterdir()) == []


def test_what_comes_after_the_end(archive: Path) -> None:
    whole = archive.read_bytes()
    skippable = b"\x50\x2a\x4d\x18\4\0\0\0abcd"
    for more in (b"\0", b"x", b"(\xb5/\xfd", skippable, compressed(b""), whole):
        archive.write_bytes(whole + more)
        assert f"has {len(more)} bytes after its end" in complaint(archive)


def test_a_frame_that_wants_too_much_memory(folder: Path, tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=27, write_content_size=False
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    made = packer.compress(b"".join(entries(folder).values())) + packer.flush()
    (tmp_path / "bad.secateur").write_bytes(made)
    assert "too much memory" in complaint(tmp_path / "bad.secateur")


def test_a_frame_that_lies_about_its_size(folder: Path, tmp_path: Path) -> None:
    tar = b"".join(entries(folder).values()) + bytes(300_000)
    made = compressed(tar)
    said = zstandard.get_frame_parameters(made).content_size.to_bytes(4, "little")
    for lie in (10_000, 1 << 31):
        (tmp_path / "bad.secateur").write_bytes(made.replace(said, lie.to_bytes(4, "little"), 1))
        complaint(tmp_path / "bad.secateur")


def test_cut_short_anywhere(archive: Path) -> None:
    whole = archive.read_bytes()
    for length in range(len(whole)):
        archive.write_bytes(whole[:length])
        complaint(archive)


def test_a_tar_cut_short_anywhere(folder: Path, tmp_path: Path) -> None:
    tar = b"".join(entries(folder).values())
    for length in [*range(0, len(tar) - 512, 61), len(tar) - 1]:
        (tmp_path / "bad.secateur").write_bytes(compressed(tar[:length]))
        complaint(tmp_path / "bad.secateur")


def test_a_byte_turned_over_anywhere(archive: Path) -> None:
    whole = archive.read_bytes()
    for place in range(len(whole)):
        bad = bytearray(whole)
        bad[place] ^= 0xFF
        archive.write_bytes(bad)
        complaint(archive)


def test_a_bit_turned_over_anywhere_is_found_or_means_nothing(archive: Path, folder: Path) -> None:
    """zstd leaves some bits unused, one of them in its header."""
    whole, harmless = archive.read_bytes(), []
    for place in range(len(whole)):
        bad = bytearray(whole)
        bad[place] ^= 1 << place % 8
        archive.write_bytes(bad)
        try:
            found = contents(archive)
        except BadInput:
            continue
        assert found == contents(folder)
        harmless.append(place)
    assert len(harmless) < 10
