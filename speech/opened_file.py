"""Files that people name, and pipes, as something that can be read twice from its beginning."""

import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO

from speech.errors import BadInput
from speech.readable import refuse_unreachable

#: What comes out of a pipe is kept in memory up to so many bytes, and in a temporary file beyond.
_IN_MEMORY = 16 << 20

#: Seconds to wait until somebody opens the other end of a named pipe.
_PATIENCE = 10.0

STANDARD_INPUT = "Standard input"


@contextmanager
def opened_file(path: Path) -> Iterator[BinaryIO]:
    """A regular file as it is, without a buffer; a pipe when it has come to its end."""
    refuse_unreachable(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise BadInput(f"{path} does not exist; check the name.") from None
    if stat.S_ISDIR(mode):
        raise BadInput(f"{path} is a folder, not a sound file; name a file inside it.")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise BadInput(f"{path} is a device, not a sound file; name a file.")
    try:
        source = _read_pipe(path) if stat.S_ISFIFO(mode) else path.open("rb", buffering=0)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the file.") from error
    with source:
        yield source


@contextmanager
def opened_standard_input() -> Iterator[BinaryIO]:
    """As what `opened_file` gives."""
    if sys.stdin is None or sys.stdin.isatty():
        kind = "a terminal" if sys.stdin else "closed"
        raise BadInput(f"{STANDARD_INPUT} is {kind}; pipe a sound file into it, or name a file.")
    try:
        piped = sys.stdin.buffer
        is_file = stat.S_ISREG(os.fstat(piped.fileno()).st_mode) and piped.tell() == 0
        source: BinaryIO = (
            FileIO(piped.fileno(), closefd=False) if is_file else _copied(piped, STANDARD_INPUT)
        )
    except OSError as error:
        raise BadInput(
            f"Standard input cannot be read ({error.strerror}); pipe a sound file into it."
        ) from error
    with source:
        if not source.seek(0, os.SEEK_END):
            raise BadInput(f"{STANDARD_INPUT} is empty or closed; pipe a sound file into it.")
        yield source


def _copied(pipe: BinaryIO, name: str, begins: bytes = b"") -> BinaryIO:
    """All that comes out of a pipe until its other end is closed."""
    begins += pipe.read(_IN_MEMORY)
    if len(begins) < _IN_MEMORY:
        return BytesIO(begins)
    copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    try:
        copy.write(begins)
        while block := pipe.read(1 << 20):
            copy.write(block)
    except OSError as error:
        copy.close()
        raise BadInput(
            f"{name} cannot be copied to {tempfile.gettempdir()} ({error.strerror}); make room "
            "there, set TMPDIR to another folder, or name a file."
        ) from error
    return copy


def _read_pipe(path: Path) -> BinaryIO:
    """Opened as a file, a named pipe that nobody writes into would make us wait for ever."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as pipe:
        begins = _first_bytes(pipe.fileno(), path)
        os.set_blocking(pipe.fileno(), True)
        return _copied(pipe, str(path), begins)


def _first_bytes(pipe: int, path: Path) -> bytes:
    """What is there already: nothing, once somebody has the other end open and will write."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if begins := os.read(pipe, 1 << 16):
                return begins
        except BlockingIOError:
            return b""
        time.sleep(0.05)
    raise BadInput(
        f"{path} is a pipe that nobody wrote into for {_PATIENCE:.0f} s; start the program that "
        "does, or name a file."
    )
