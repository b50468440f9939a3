"""One run at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from speech.errors import BadInput

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The lock goes with the process, however that ends."""
    note = folder / f"{LOCK}-holder"
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise BadInput(
            f"{folder} is being filled by another run{_whose(note)}: wait for its end, or give the "
            "recipe another output."
        ) from error
    try:
        note.write_text(str(os.getpid()), encoding="utf-8")
        yield
        note.unlink(missing_ok=True)
    finally:
        lock.release()


def _whose(note: Path) -> str:
    try:
        return f" (process {int(note.read_text(encoding='utf-8'))})"
    except (OSError, ValueError):
        return ""
