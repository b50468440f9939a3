"""A folder or file that is there as a whole or not at all, and a full disk in one sentence."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from runtime.beside import alone_in, beside, remove
from speech.errors import BadInput
from speech.readable import refuse_unreachable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(BadInput):
    """Whoever makes many things need not try the next one."""


def refuse_taken(folder: Path) -> None:
    """Raise for a place that has something in it, or where nothing can be put."""
    try:
        there = folder.is_symlink() or folder.exists()
        empty = folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    except OSError as error:
        raise BadInput(f"{folder} cannot be used: {error.strerror}.") from error
    if there and not empty:
        raise BadInput(f"{folder} exists and is not an empty folder: choose another one.")
    refuse_unwritable(folder, into=folder.absolute().parent)


def refuse_unwritable(folder: Path, *, into: Path | None = None) -> None:
    """Raise where nothing can be put into the folder, or `into` another one, there yet or not."""
    place = into or folder.absolute()
    refuse_unreachable(place)
    nearest = next(path for path in (place, *place.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise BadInput(f"{folder} cannot be written: {nearest} is no folder that we may write to.")


@contextmanager
def written_whole(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder beside, to write into; it takes its place at the end or vanishes.

    With `replace` what stands there gives way to it, at the end.
    """
    folder = folder.absolute()
    if not replace:
        refuse_taken(folder)
    old = folder.with_name(f".{folder.name}.old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if old.exists():
            with alone_in(folder.parent):
                _put_back(old, folder)
        with beside(folder, Path.mkdir) as place:
            yield place
            for path in [*place.rglob("*"), place]:
                _flush_to_disk(path)
            if replace:
                with alone_in(folder.parent):
                    _take_place(place, folder, old)
            else:
                refuse_taken(folder)  # somebody may have been quicker
                place.replace(folder)
            _flush_to_disk(folder.parent)
    except OSError as error:
        if disk_is_full(error):
            raise
        raise BadInput(f"{folder} cannot be written: {error.strerror or error}.") from error


def _take_place(place: Path, folder: Path, old: Path) -> None:
    try:
        if folder.exists():
            folder.rename(old)
        place.replace(folder)
    finally:
        _put_back(old, folder)


@contextmanager
def whole_file(file: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """An empty file beside, to write into; it takes its place at the end or vanishes.

    With `replace` a plain file that stands there gives way to it, at the end.
    """
    file = file.absolute()
    with _unwritable_is_bad_input(file):
        _refuse_taken_place(file, replace)
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside(file, lambda path: path.touch(0o666, exist_ok=False)) as place:
            with place.open("wb") as out:
                yield out
            _flush_to_disk(place)
            if replace:
                place.replace(file)
            else:
                _link(place, file)
            _flush_to_disk(file.parent)


def _link(place: Path, file: Path) -> None:
    """Unlike a rename it fails where somebody has been quicker."""
    try:
        file.hardlink_to(place)
    except FileExistsError:
        _refuse_taken_place(file, replace=False)
    except OSError:  # a file system without hard links
        _refuse_taken_place(file, replace=False)
        place.replace(file)


def _refuse_taken_place(file: Path, replace: bool) -> None:
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise BadInput(f"{file} is no plain file: choose another one.")
    if file.exists() and not replace:
        raise BadInput(f"{file} exists: choose another one, or say that it may be replaced.")
    refuse_unwritable(file, into=file.parent)


@contextmanager
def _unwritable_is_bad_input(file: Path) -> Iterator[None]:
    try:
        with full_disk_is_bad_input(str(file)):
            yield
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror or error}.") from error


@contextmanager
def full_disk_is_bad_input(what: str) -> Iterator[None]:
    """`what` was not written: told instead of whatever a library makes of it.

    Who has said so already knows better what it was.
    """
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        if not disk_is_full(error):
            raise
        raise DiskFull(
            f"The disk is full, and {what} was not written: make room and try again."
        ) from error


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error comes of a full disk, a quota or a limit on the size of files.

    safetensors says so in words only, torch in an error that follows the true one.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        named = re.search(r"I/O error: .*\(os error (\d+)\)", str(error))
        if named and int(named[1]) in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def _put_back(old: Path, folder: Path) -> None:
    """What was to give way stays where nothing took its place, and goes where something did."""
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    remove(old)


def _flush_to_disk(path: Path) -> None:
    """A rename survives a power cut only together with what was written before it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
