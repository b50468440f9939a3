"""The journal on disk: appended line by line, each on the disk before anybody hears of it.

Power may go at any moment. What is lost is then at most the line that was being written, and such
a torn line is cut off when the journal is taken up again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.agent.events import Stamped
from runtime.whole_folder import full_disk_is_bad_input
from speech.errors import BadInput
from speech.lines import RawLine, raw_lines

JOURNAL_FILE = "journal.jsonl"
#: Bytes. The longest that is ever written holds a transcript, or all that is known of a machine.
LONGEST_LINE = 4 << 20
_PIECE = 1 << 16


class Journal:
    """Open for appending; only the supervisor that holds the job's lock has one."""

    def __init__(self, path: Path):
        self._path = path
        created = not path.exists()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            _cut_torn_line(self._file)
            if created:
                _flush_folder(path.parent)
        except OSError as problem:
            raise BadInput(f"{path}: cannot be written ({problem.strerror}).") from problem

    def append(self, line: str) -> None:
        """One line, whole and flushed, or not at all; a full disk is BadInput."""
        before = os.lseek(self._file, 0, os.SEEK_END)
        with full_disk_is_bad_input(f"the next line of {self._path}"):
            try:
                rest = memoryview(f"{line}\n".encode())
                while rest:
                    rest = rest[os.write(self._file, rest) :]
                os.fsync(self._file)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._file, before)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)


def read_journal(path: Path) -> Iterator[Stamped]:
    """Every whole line's event, none if there is no journal yet.

    A torn last line is left out; any other bad line is BadInput that names it.
    """
    try:
        with path.open("rb") as file:
            for line in raw_lines(file, LONGEST_LINE):
                if line.is_ended:
                    yield _parsed(line, path)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem


def _parsed(line: RawLine, path: Path) -> Stamped:
    try:
        if line.is_too_long:
            raise ValueError(f"it has more than {LONGEST_LINE} bytes")
        return Stamped.from_json(line.data.decode())
    except ValueError as problem:
        raise BadInput(
            f"{path}, line {line.number}: {problem}; cut the journal off before this line, "
            "or measure again in a new job."
        ) from problem


def _cut_torn_line(file: int) -> None:
    """Lines are short, but the search goes back as far as it must."""
    size = end = os.lseek(file, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _PIECE)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
        os.fsync(file)


def _flush_folder(folder: Path) -> None:
    """So that the file's name survives a power cut, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
