"""One run at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from runtime.whole_folder import disk_is_full
from speech.errors import BadInput

LOCK = ".lock"

#: Says which process has the lock.
HOLDER = f"{LOCK}-holder"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """In the folder, made if need be; the lock goes with the process, however that ends."""
    note = folder / HOLDER
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        note.write_text(str(os.getpid()), encoding="utf-8")
    except Timeout as error:
        raise BadInput(
            f"{folder} is being filled by another run{_whose(note)}: wait for its end, or give the "
            "recipe another output."
        ) from error
    except OSError as error:
        lock.release()
        if disk_is_full(error):
            raise
        raise BadInput(
            f"{error.filename or folder} cannot be written ({error.strerror}): move it away, or "
            "give the recipe another output."
        ) from error
    try:
        yield
        note.unlink(missing_ok=True)
    finally:
        lock.release()


def _whose(note: Path) -> str:
    try:
        return f" (process {int(note.read_text(encoding='utf-8'))})"
    except (OSError, ValueError):
        return ""
