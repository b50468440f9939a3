"""The host's copy of a device's journal: whole lines, only ever appended to."""

from __future__ import annotations

import fcntl
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from bench.agent.events import JobEnded, Stamped
from speech.errors import BadInput
from speech.readable import home

NAME = "journal.jsonl"


def data_folder() -> Path:
    """Where results of devices are kept on the host."""
    named = os.environ.get("SECATEUR_DATA")
    return Path(named) if named else home() / ".local" / "share" / "secateur"


class JournalCopy:
    """Use as a context; one process at a time may follow one job."""

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._tail = bytearray()  # of a line that has not come whole

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self.path.with_name("follows").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise BadInput(
                f"Another secateur on this machine follows this job already ({self.path.parent}): "
                "watch that one, or end it with Ctrl-C."
            ) from error
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.close()

    def _open(self) -> None:
        """A torn last line, of a host that crashed, is fetched again."""
        self._file = self.path.open("a+b")
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        self._hash = hashlib.sha256(whole)
        self.size = len(whole)
        self._tail = bytearray()
        self.ended = _is_end(whole[:-1].rpartition(b"\n")[2])

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def kept(self) -> list[bytes]:
        """The lines of earlier times."""
        return self.path.read_bytes().split(b"\n")[:-1]

    def add(self, data: bytes) -> list[bytes]:
        """Bytes as they come; gives the lines that are whole with them, which are kept by then."""
        cut = data.rfind(b"\n") + 1
        whole = b""
        if cut:
            whole, self._tail = bytes(self._tail) + data[:cut], bytearray()
        self._tail += data[cut:]
        self._file.write(whole)
        self._file.flush()
        self._hash.update(whole)
        self.size += len(whole)
        lines = whole.split(b"\n")[:-1]
        self.ended = self.ended or any(map(_is_end, lines))
        return lines

    @property
    def waiting(self) -> int:
        """Bytes of a line that has not come whole."""
        return len(self._tail)

    def forget_tail(self) -> None:
        """The connection broke within a line: it comes again as a whole."""
        self._tail = bytearray()

    def set_aside(self) -> None:
        """The device lost what it had not flushed, so its journal went another way: begin anew.

        What was copied is kept beside, under the time of this moment.
        """
        self._file.close()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self.path.rename(self.path.with_name(f"journal-{stamp}.jsonl"))
        self._open()


def _is_end(line: bytes) -> bool:
    try:
        return b"job_ended" in line and isinstance(Stamped.from_json(line.decode()).event, JobEnded)
    except ValueError:
        return False
