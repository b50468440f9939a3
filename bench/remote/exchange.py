"""One program on a device, fed and read within bounds: it may say anything, and for ever."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO

from bench.remote.connection import ALIVE_INTERVAL, ALIVE_TRIES, Link
from speech.errors import BadInput

#: Seconds without a byte in either direction. ssh itself finds out before that a connection is
#: dead, and an errand that takes long sends a sign of life much more often.
SILENCE = ALIVE_INTERVAL * (ALIVE_TRIES + 1) + 4.0
#: Seconds that an errand may take in all which has little to do.
QUICK = SILENCE + 2.0
#: Bytes of an answer, of a line before data, and of what a program may complain.
_MOST, _LONGEST_LINE, _MOST_ERRORS = 16 << 20, 1 << 20, 1 << 20
_KEPT_ERRORS = 1 << 16
_PIECE = 1 << 16
_TICK = 0.5
_TO_END = 5.0  # seconds to exit in, once everything is said


class Exchange:
    """Reads while it writes, so that neither end waits for the other one."""

    def __init__(
        self,
        link: Link,
        process: subprocess.Popen[bytes],
        errors: IO[bytes],
        data: Iterable[bytes],
        *,
        seconds: float = QUICK,
        stays_open: bool = False,
    ):
        """`stays_open` leaves standard input open after the data, to show that we are there."""
        assert process.stdin and process.stdout
        self._link, self._process, self._errors = link, process, errors
        self._data: Iterator[bytes] | None = iter(data)
        self._piece = memoryview(b"")
        self._stays_open = stays_open
        self._in, self._out = process.stdin, process.stdout
        os.set_blocking(self._in.fileno(), False)
        self._heard = bytearray()
        self._is_over = False
        self._last = time.monotonic()
        self._seconds, self._end = seconds, self._last + seconds

    def line(self) -> bytes:
        """With its end, or what there is at the end."""
        while (cut := self._heard.find(b"\n")) < 0 and not self._is_over:
            self._refuse_more_than(_LONGEST_LINE)
            self._step()
        return self._taken(cut + 1 if cut >= 0 else len(self._heard))

    def exactly(self, count: int) -> bytes:
        """Fewer bytes only at the end."""
        while len(self._heard) < count and not self._is_over:
            self._step()
        return self._taken(count)

    def rest(self) -> bytes:
        while not self._is_over:
            self._refuse_more_than(_MOST)
            self._step()
        self._refuse_more_than(_MOST)
        return self._taken(len(self._heard))

    def end(self, program: str = "python3") -> None:
        """Waits for the end of what has said all; raises the reason if it ended badly."""
        try:
            code = self._process.wait(_TO_END)
        except subprocess.TimeoutExpired:
            raise self._given_up("does not end what it has answered") from None
        if code:
            self._errors.seek(-min(_KEPT_ERRORS, self._errors.seek(0, os.SEEK_END)), os.SEEK_END)
            told = self._errors.read().decode("utf-8", "replace")
            raise self._link.explain(program, code, told)

    def _taken(self, count: int) -> bytes:
        data = bytes(self._heard[:count])
        del self._heard[:count]
        return data

    def _step(self) -> None:
        """Read and write what can be, or wait a moment for it."""
        writers = [self._in] if self._has_more() else []
        readers, writers, _ = select.select([self._out], writers, [], _TICK)
        if writers:
            self._write()
        if readers:
            data = os.read(self._out.fileno(), _PIECE)
            self._heard += data
            self._is_over = not data
        if readers or writers:
            self._last = time.monotonic()
        if self._is_over:
            return
        if time.monotonic() > self._last + SILENCE:
            raise self._given_up(f"has been silent for {SILENCE:.0f} s")
        if time.monotonic() > self._end:
            raise self._given_up(f"has no whole answer after {self._seconds:.0f} s")
        if os.fstat(self._errors.fileno()).st_size > _MOST_ERRORS:
            raise self._given_up("complains without end")

    def _has_more(self) -> bool:
        """Whether there is something to be written; if not, standard input is closed."""
        while not self._piece and self._data is not None:
            piece = next(self._data, None)
            if piece is None:
                self._stop_writing()
            else:
                self._piece = memoryview(piece)
        return bool(self._piece)

    def _write(self) -> None:
        try:
            self._piece = self._piece[os.write(self._in.fileno(), self._piece) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it ended early: why is in its answer
            self._piece = memoryview(b"")
            self._stop_writing()

    def _stop_writing(self) -> None:
        self._data = None
        if not self._stays_open:
            with suppress(OSError):
                self._in.close()

    def _refuse_more_than(self, most: int) -> None:
        if len(self._heard) > most:
            raise self._given_up(f"answers with more than {most >> 20} MiB")

    def _given_up(self, what: str) -> BadInput:
        return BadInput(
            f"{self._link.device.name} {what}: something is wrong with it, or with its python3 or "
            "shell; look at it, restart it, and try again."
        )
