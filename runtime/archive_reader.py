"""Reading an archive from front to back, with suspicion.

An archive comes from elsewhere, so nothing in it is believed: a name has to be one that the
manifest lists (and a manifest lists none that lead out), a size the one that stands there, bytes
those of its hash, and whatever else there is makes the archive bad. Python's `tarfile` would
follow links, fill the memory with a long header and read on after an end, so here it only takes
single headers apart.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import zstandard

from runtime.bundle import MANIFEST, Bundle, BundleFile, Manifest
from speech.errors import BadInput
from speech.parsed import json_from
from speech.readable import readable

SUFFIX = ".secateur"

#: Bytes of a `bundle.json`; that of a large model has some hundred thousand.
MANIFEST_LIMIT = 4 << 20

#: Folders in one another; Python makes and removes them by recursion.
_DEEPEST = 64

#: Bytes that are held in memory at a time.
PIECE = 1 << 20

#: How far back in the tar zstd may refer to, which is what it keeps in memory.
WINDOW_LOG = 23

BLOCK = tarfile.BLOCKSIZE

#: Kinds of entries in a tar: plain files, and what says more about the entry after it.
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_EXTENSION = tarfile.XHDTYPE
_EXTENSION_LIMIT = 64 << 10

#: No zstd frame's head is longer.
_FRAME_HEAD = 18


class Archive:
    """The tar inside, read once from front to back; never more of it in memory than a piece."""

    def __init__(
        self, file: Path, stream: zstandard.ZstdDecompressionReader, limit: int, tar_size: int
    ):
        self._file, self._stream = file, stream
        self.manifest_bytes = self._read_manifest()
        self.manifest = self._parsed_manifest()
        listed = sum(file.size for file in self.manifest.files)
        if any(file.path.count("/") > _DEEPEST for file in self.manifest.files):
            raise self._wrong(f"lists files more than {_DEEPEST} folders deep")
        if listed > limit:
            raise BadInput(f"{file} unpacks to {listed} bytes, more than the limit of {limit}.")
        #: Bytes that its files take; those that stayed at home are listed, but not in the tar.
        self.promised = min(listed, tar_size)

    def files(self) -> Iterator[tuple[BundleFile, Iterator[bytes]]]:
        """Each file and its bytes, which are to be taken before the next file is."""
        listed = {file.path: file for file in self.manifest.files}
        absent = set(listed)
        while head := self._next_file():
            name, size = head
            if name not in absent:
                again = name in listed or name == MANIFEST
                why = " twice" if again else f", which its {MANIFEST} does not list"
                raise self._wrong(f"holds {name!r}{why}")
            if size != listed[name].size:
                raise self._wrong(f"holds {size} bytes of {name!r} instead of {listed[name].size}")
            absent.remove(name)
            yield listed[name], self._contents(listed[name])
        self._finish()
        self._refuse_missing(absent)

    def _contents(self, file: BundleFile) -> Iterator[bytes]:
        sha = hashlib.sha256()
        for piece in self._pieces(file.size):
            sha.update(piece)
            yield piece
        if sha.hexdigest() != file.sha256:
            raise self._wrong(f"holds another {file.path!r} than its {MANIFEST} describes")

    def _refuse_missing(self, absent: set[str]) -> None:
        """The PyTorch checkpoint may have stayed at home, but not half of it."""
        needed = {file.path for file in Bundle(self._file, self.manifest).device_files}
        optional = {file.path for file in self.manifest.files} - needed
        if absent and absent != optional:
            raise self._wrong(f"lacks {min(absent & needed or absent)!r}")

    def _read_manifest(self) -> bytes:
        name, size = self._next_file() or ("", 0)
        if name != MANIFEST:
            raise self._wrong(f"does not begin with {MANIFEST}")
        if size > MANIFEST_LIMIT:
            raise self._wrong(f"has a {MANIFEST} of {size} bytes, more than {MANIFEST_LIMIT}")
        return b"".join(self._pieces(size))

    def _parsed_manifest(self) -> Manifest:
        text = self.manifest_bytes
        try:
            data = json_from(text.decode(), parse_constant=_refused, parse_int=_whole_number)
        except ValueError as error:
            raise self._wrong(f"has a {MANIFEST} that is not valid JSON ({error})") from error
        return Manifest.from_json(data, f"{self._file}, {MANIFEST}")

    def _next_file(self) -> tuple[str, int] | None:
        """Name and size of the next file, or None where the tar ends."""
        info = self._next_head()
        if info is None:
            return None
        extension: dict[str, str] = {}
        if info.type == _EXTENSION:
            extension = self._extension(info.size)
            info = self._next_head()
        if info is None:
            raise self._wrong("ends where a file should begin")
        name = extension.get("path", info.name)
        size = int(extension.get("size", info.size))
        if info.type not in _PLAIN or size < 0:
            raise self._wrong(f"holds {name!r}, which is no plain file")
        return name, size

    def _next_head(self) -> tarfile.TarInfo | None:
        block = b"".join(self._pieces(BLOCK))
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise self._wrong(f"is damaged ({error})") from error

    def _extension(self, size: int) -> dict[str, str]:
        """A long or foreign name and a huge size: rows of `length key=value` and a line feed."""
        if not 0 < size <= _EXTENSION_LIMIT:
            raise self._wrong(f"holds a name of {size} bytes")
        rest, found = b"".join(self._pieces(size)), dict[str, str]()
        try:
            while rest:
                digits, _, _ = rest.partition(b" ")
                row, rest = rest[: int(digits)], rest[int(digits) :]
                key, _, value = row[len(digits) + 1 : -1].decode().partition("=")
                if len(row) != int(digits) or row[-1:] != b"\n" or key not in ("path", "size"):
                    raise ValueError(f"{row[:40]!r}")
                found[key] = value
            _whole_number(found.get("size", "0"))
        except ValueError as error:
            raise self._wrong(f"holds a file of no clear name and size ({error})") from error
        return found

    def _finish(self) -> None:
        """After one empty block comes another, and no more than a tar is filled up with.

        Reading to the very end also has zstd compare its checksum.
        """
        rest = self._read(tarfile.RECORDSIZE + 1)
        if not BLOCK <= len(rest) <= tarfile.RECORDSIZE or rest.strip(b"\0"):
            raise self._wrong("does not end where its last file does")

    def _pieces(self, size: int) -> Iterator[bytes]:
        """So many bytes; the zeros up to the next block of the tar are skipped."""
        left = size
        while left:
            piece = self._read(min(left, PIECE))
            if not piece:
                raise self._wrong("ends too early")
            left -= len(piece)
            yield piece
        padding = -size % BLOCK
        if self._read(padding) != bytes(padding):
            raise self._wrong("holds something between its files")

    def _read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        try:
            with readable(self._file):
                return self._stream.read(size)
        except zstandard.ZstdError as error:
            raise self._wrong(f"is damaged ({error})") from error

    def _wrong(self, what: str) -> BadInput:
        return _bad(self._file, what)


@contextmanager
def open_archive(file: Path, limit: int) -> Iterator[Archive]:
    with readable(file):
        if not file.is_file():
            raise BadInput(f"{file} is no file: give a {SUFFIX} archive.")
        raw = FileIO(file)
    with raw:
        with readable(file):
            tar_size = _checked_frame(raw, file)
        unpacker = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG)
        yield Archive(file, unpacker.stream_reader(raw, closefd=False), limit, tar_size)


def _checked_frame(raw: FileIO, file: Path) -> int:
    """The size of the tar as the frame tells it, and very much where it does not.

    Goes from block to block, each of which says how long it is: the file has to be one frame, and
    zstd itself tells neither a frame that was cut short nor what comes after one.
    """
    head, size = raw.read(_FRAME_HEAD), raw.seek(0, os.SEEK_END)
    try:
        if not head.startswith(zstandard.FRAME_HEADER):
            raise _bad(file, f"is no {SUFFIX} archive")
        frame = zstandard.get_frame_parameters(head)
        end, is_last = zstandard.frame_header_size(head), False
    except zstandard.ZstdError as error:
        raise _bad(file, f"is damaged ({error})") from error
    while not is_last and end < size:
        raw.seek(end)
        block = int.from_bytes(raw.read(3), "little")
        is_last, is_run = bool(block & 1), block >> 1 & 3 == 1
        end += 3 + (1 if is_run else block >> 3)
    end += 4 * frame.has_checksum
    if not is_last or end > size:
        raise _bad(file, "ends too early")
    if end < size:
        raise _bad(file, f"has {size - end} bytes after its end")
    raw.seek(0)
    return frame.content_size


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


def _whole_number(digits: str) -> int:
    """JSON and tar have no largest number, but what comes after them has."""
    if len(digits) > 18:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _bad(file: Path, what: str) -> BadInput:
    return BadInput(f"{file} {what}: copy it again, or pack the bundle again.")
