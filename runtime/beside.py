"""Places next to a file or folder that is being written, and one process at a time in a folder."""

import fcntl
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = threading.RLock()
#: Device and inode of what this process has locked.
_held: set[tuple[int, int]] = set()


@contextmanager
def beside(place: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """What `make` makes next to `place`, under a name that no other writer has; gone at the end.

    It is locked meanwhile, so that what a killed writer left is known by having no lock.
    """
    _remove_left_overs(place)
    path, handle = _claimed(place, make)
    key = _key(handle)
    _held.add(key)  # what is written in it need not wait for us
    try:
        yield path
    finally:
        _held.discard(key)
        os.close(handle)
        remove(path)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """One process at a time, and one thread; the lock goes with the process, however that ends."""
    with _THREADS:
        handle = os.open(folder, os.O_RDONLY)
        key = _key(handle)
        is_outermost = key not in _held
        try:
            if is_outermost:
                with suppress(OSError):  # of a file system without locks
                    fcntl.flock(handle, fcntl.LOCK_EX)
                _held.add(key)
            yield
        finally:
            if is_outermost:
                _held.discard(key)
            os.close(handle)


def _key(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def remove(path: Path) -> None:
    """A file, or a folder and all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):  # out of a folder that is closed to writers nothing goes
            with suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _claimed(place: Path, make: Callable[[Path], object]) -> tuple[Path, int]:
    while True:
        path = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        make(path)
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # swept away before it had its lock
            continue
        if _has_lock(handle, unknown=True) and path.exists():
            return path, handle
        os.close(handle)


def _remove_left_overs(place: Path) -> None:
    """Of killed writers; before there were locks, they had one name."""
    pattern = re.compile(rf"\.{re.escape(place.name)}(\.[0-9a-f]{{8}})?\.part")
    for name in os.listdir(place.parent):  # noqa: PTH208 - names are all that is wanted
        if not pattern.fullmatch(name):
            continue
        path = place.with_name(name)
        with suppress(OSError):
            if path.is_symlink():
                path.unlink()
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                if _has_lock(handle, unknown=False):
                    remove(path)
            finally:
                os.close(handle)


def _has_lock(handle: int, *, unknown: bool) -> bool:
    """Whether it is ours now; `unknown` is the answer of a file system without locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True
