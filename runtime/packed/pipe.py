"""Bytes for a reader that wants a path, made while it reads."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread

#: Bytes gathered before each write: as many as a pipe holds, or more.
_BUFFER = 1 << 17


@contextmanager
def piped(pieces: Iterable[bytes | memoryview]) -> Iterator[str]:
    """A path from which `pieces` can be read once, by somebody who releases Python's lock.

    What goes wrong in making them is raised at the end, whatever the reader made of the rest.
    """
    reading, writing = os.pipe()
    feeder = _Feeder(pieces, writing)
    feeder.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)  # else a feeder whose reader gave up would wait for ever
        feeder.join()
        if feeder.fault:
            raise feeder.fault
    if feeder.unread:
        raise BrokenPipeError("it was not read to its end")


class _Feeder(Thread):
    def __init__(self, pieces: Iterable[bytes | memoryview], writing: int):
        super().__init__(name="weights", daemon=True)
        self._pieces = pieces
        self._writing = writing
        self.fault: Exception | None = None
        self.unread = False

    def run(self) -> None:
        try:
            with os.fdopen(self._writing, "wb", _BUFFER) as out:
                for piece in self._sound():
                    out.write(piece)
        except BrokenPipeError:
            self.unread = True

    def _sound(self) -> Iterator[bytes | memoryview]:
        try:
            yield from self._pieces
        except Exception as error:  # to be raised where the bytes are wanted
            self.fault = error
