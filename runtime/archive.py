"""A bundle as one file: a tar in zstd of `bundle.json` and then the files that it lists."""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from runtime.archive_reader import (
    BLOCK,
    MANIFEST_LIMIT,
    PIECE,
    SUFFIX,
    WINDOW_LOG,
    Archive,
    open_archive,
)
from runtime.bundle import MANIFEST, Bundle, BundleFile, Manifest
from runtime.whole_folder import full_disk_is_bad_input, refuse_taken, whole_file, written_whole
from speech.errors import BadInput
from speech.readable import readable

#: Bytes that an archive may unpack to unless the caller says otherwise.
LIMIT = 16 << 30

#: Is told a label, MiB done and MiB in all.
Report = Callable[[str, int, int], None]

#: Levels above win a few percent for many times the minutes.
_LEVEL = 6

#: What a file's size is rounded up to on most disks.
_DISK_BLOCK = 4096


@dataclass(frozen=True)
class Contents:
    """What a bundle's folder or archive holds."""

    manifest: Manifest
    #: Those files of the manifest that are there.
    files: tuple[BundleFile, ...]
    #: As `Bundle.sha256`.
    sha256: str


def pack(
    folder: Path,
    file: Path,
    *,
    device_only: bool = False,
    replace: bool = False,
    report: Report | None = None,
) -> None:
    """Write the bundle in `folder` into one file; the same bundle gives the same bytes.

    Every file is hashed on its way, so nothing is packed that has changed since the export.
    `device_only` leaves the PyTorch checkpoint out, whether it is there or not.
    """
    if file.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{file} would lie in the bundle itself: choose another place.")
    bundle = _opened_folder(folder, on_device=device_only)
    files = bundle.device_files if device_only else bundle.manifest.files
    manifest = _read_manifest(folder)
    heads = [_head(MANIFEST, len(manifest)), *(_head(file.path, file.size) for file in files)]
    sizes = [len(manifest), *(file.size for file in files)]
    tar_size = sum(map(len, heads)) + sum(size + -size % BLOCK for size in sizes) + 2 * BLOCK
    packer = _compressor().compressobj(size=tar_size)
    count = _Count(report, "packing", sum(sizes))
    with whole_file(file, replace=replace) as out:
        out.write(packer.compress(heads[0] + manifest + bytes(-len(manifest) % BLOCK)))
        for listed, head in zip(files, heads[1:], strict=True):
            out.write(packer.compress(head))
            for piece in _checked_pieces(bundle, listed):
                out.write(packer.compress(piece))
                count.add(len(piece))
            out.write(packer.compress(bytes(-listed.size % BLOCK)))
        out.write(packer.compress(bytes(2 * BLOCK)) + packer.flush())


def unpack(file: Path, folder: Path, *, limit: int = LIMIT, report: Report | None = None) -> Bundle:
    """Write an archive's files into `folder`, which is absent or empty: all of them or nothing.

    `limit` is how many bytes they may have together. Whether the disk has room for them is checked
    before the first is written, and every hash before the folder takes its place.
    """
    refuse_taken(folder)
    with open_archive(file, limit) as archive:
        _refuse_small_disk(folder, archive)
        count = _Count(report, "unpacking", archive.promised)
        with full_disk_is_bad_input(str(folder)), written_whole(folder) as place:
            (place / MANIFEST).write_bytes(archive.manifest_bytes)
            for listed, pieces in archive.files():
                path = place / listed.path
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as out:
                    for piece in pieces:
                        out.write(piece)
                        count.add(len(piece))
            Bundle.open(place, on_device=True)
        return Bundle(folder, archive.manifest)


def contents(path: Path, *, limit: int = LIMIT, report: Report | None = None) -> Contents:
    """What is in a folder or an archive, without writing anything.

    An archive is read to its end and its hashes are checked; a folder's are not.
    """
    if not _is_archive(path):
        bundle = _opened_folder(path, on_device=True)
        return Contents(bundle.manifest, _present(bundle), bundle.sha256)
    with open_archive(path, limit) as archive:
        count = _Count(report, "reading", archive.promised)
        held = []
        for listed, pieces in archive.files():
            for piece in pieces:
                count.add(len(piece))
            held.append(listed)
        digest = hashlib.sha256(archive.manifest_bytes).hexdigest()
        return Contents(archive.manifest, tuple(held), digest)


@contextmanager
def opened(
    path: Path, *, check_hashes: bool = False, report: Report | None = None
) -> Iterator[Bundle]:
    """The bundle in a folder or in an archive, which is unpacked for as long as it is needed.

    An archive's hashes are always checked. Complaints name it, not the folder that is then gone.
    """
    if not _is_archive(path):
        bundle = _opened_folder(path, on_device=True)
        if check_hashes:
            _check_hashes(bundle, report)
        yield bundle
        return
    try:
        temporary = tempfile.TemporaryDirectory(prefix="secateur-")
    except OSError as error:
        raise BadInput(
            f"There is no temporary folder to unpack {path} into ({error.strerror}): "
            "set TMPDIR to one, or unpack the archive yourself."
        ) from error
    with temporary as place:
        folder = Path(place) / "bundle"
        try:
            yield unpack(path, folder, report=report)
        except BadInput as error:
            raise type(error)(str(error).replace(str(folder), str(path))) from error


def holds_bundle(path: Path) -> bool:
    """Whether `opened` is who can tell more: an archive, by its name at least, or a folder."""
    with readable(path):
        return path.suffix == SUFFIX or path.is_file() or (path / MANIFEST).is_file()


def transfer_size(files: Sequence[Path]) -> int:
    """Bytes that the files take when an archive of them is sent."""
    packer = _compressor().compressobj(size=sum(path.stat().st_size for path in files))
    size = 0
    for path in files:
        with readable(path), path.open("rb") as file:
            while piece := file.read(PIECE):
                size += len(packer.compress(piece))
    return size + len(packer.flush())


def _compressor() -> zstandard.ZstdCompressor:
    """With long-distance matching: the weights of graph and checkpoint are often alike."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=WINDOW_LOG, enable_ldm=True, write_checksum=True
    )
    return zstandard.ZstdCompressor(compression_params=parameters)


def _is_archive(path: Path) -> bool:
    with readable(path):
        if not path.exists():
            raise BadInput(f"{path} does not exist: give a bundle's folder or {SUFFIX} archive.")
        return not path.is_dir()


def _opened_folder(folder: Path, *, on_device: bool) -> Bundle:
    with readable(folder):
        return Bundle.open(folder, on_device=on_device)


def _present(bundle: Bundle) -> tuple[BundleFile, ...]:
    return tuple(file for file in bundle.manifest.files if (bundle.folder / file.path).exists())


def _check_hashes(bundle: Bundle, report: Report | None) -> None:
    """As `Bundle.verify`, and tells how far it is."""
    files = _present(bundle)
    count = _Count(report, "hashing", sum(file.size for file in files))
    for file in files:
        for piece in _checked_pieces(bundle, file):
            count.add(len(piece))


def _checked_pieces(bundle: Bundle, listed: BundleFile) -> Iterator[bytes]:
    """A file's bytes; after the last comes a complaint if they are not what the manifest says."""
    sha, path = hashlib.sha256(), bundle.folder / listed.path
    with readable(path), path.open("rb") as file:
        while piece := file.read(PIECE):
            sha.update(piece)
            yield piece
    if sha.hexdigest() != listed.sha256:
        raise BadInput(
            f"{listed.path} of the bundle {bundle.folder} has changed since the bundle was "
            "written: copy or export the bundle again."
        )


def _read_manifest(folder: Path) -> bytes:
    with readable(folder / MANIFEST):
        data = (folder / MANIFEST).read_bytes()
    if len(data) > MANIFEST_LIMIT:
        raise BadInput(
            f"{folder / MANIFEST} has {len(data)} bytes, and an archive takes {MANIFEST_LIMIT}: "
            "leave something out of its provenance."
        )
    return data


def _head(name: str, size: int) -> bytes:
    """A tar's header without the times, owners and modes in which two packers would differ."""
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"The name {name!r} cannot be written as UTF-8: rename the file.") from error
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


class _Count:
    """Counts bytes and tells of MiB."""

    def __init__(self, report: Report | None, label: str, total: int):
        self._report, self._label, self._total = report, f"{label}, MiB", -(-total >> 20)
        self._done = 0

    def add(self, size: int) -> None:
        self._done += size
        if self._report:
            self._report(self._label, self._done >> 20, self._total)


def _refuse_small_disk(folder: Path, archive: Archive) -> None:
    with readable(folder):
        nearest = next(path for path in folder.absolute().parents if path.exists())
    files = len(archive.manifest.files) + 1
    needed = archive.promised + len(archive.manifest_bytes) + files * _DISK_BLOCK
    with readable(nearest):
        free = shutil.disk_usage(nearest).free
    if needed > free:
        raise BadInput(
            f"The disk has {free >> 20} MiB of room, and {folder} would take "
            f"{-(-needed >> 20)} MiB: make room and try again."
        )
