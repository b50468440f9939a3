"""Standard output and standard error: text from outside is shown, and never commands a terminal.

Names, transcripts and answers come from archives, journals and devices. Everything that a command
prints passes here, so that whoever prints need not think of it.
"""

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from speech.printable import printable, printable_lines

#: How progress bars go to the line of another one.
_MOVES = re.compile(r"\n*(\x1b\[A)*")

#: The exit code that a shell has for a program which SIGPIPE ended.
OUTPUT_CLOSED = 141


class Shown(io.TextIOWrapper):
    """A stream whose control characters are made visible; on a terminal progress bars still work.

    What the encoding lacks is written as JSON writes it, so that JSON stays JSON.
    """

    buffer = None  # type: ignore[assignment]  # click writes bytes past an encoding that is ASCII

    def __init__(self, stream: Any):
        self._stream = stream  # which closes its file when nobody has it any more
        self._file = stream.fileno()
        # A descriptor of its own: speech.decoder redirects standard error while it decodes.
        self._own = os.dup(self._file)
        self._called = {1: "standard output", 2: "standard error"}.get(self._file, stream.name)
        self._is_terminal = stream.isatty()
        super().__init__(
            os.fdopen(self._own, "wb"),
            encoding=stream.encoding,
            errors="visible",
            line_buffering=stream.line_buffering or stream.write_through,
        )

    def write(self, text: str) -> int:
        self.write_raw(self._cleaned(text))
        return len(text)

    def _cleaned(self, text: str) -> str:
        if self._is_terminal and _MOVES.fullmatch(text):
            return text
        if self._is_terminal and text.startswith("\r") and "\n" not in text:
            return "\r" + printable(text[1:])
        return printable_lines(text)

    def write_raw(self, text: str) -> None:
        with self._to_somebody():
            super().write(text)

    def flush(self) -> None:
        with self._to_somebody():
            super().flush()

    @contextmanager
    def _to_somebody(self) -> Iterator[None]:
        """Whoever has closed the other end wants no more, and no complaint either."""
        try:
            yield
        except BrokenPipeError:
            self._write_nowhere()
            raise SystemExit(OUTPUT_CLOSED) from None
        except OSError as error:
            self._write_nowhere()
            raise OSError(error.errno, error.strerror, self._called) from error

    def _write_nowhere(self) -> None:
        """Or Python would try again, and complain, when it ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._file)
        os.dup2(nowhere, self._own)
        os.close(nowhere)


class _Raw:
    """The same stream for a library that cleans its texts and adds control sequences of its own."""

    def __init__(self, stream: Shown):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write_raw(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def raw(stream: TextIO) -> Any:
    return _Raw(stream) if isinstance(stream, Shown) else stream


@contextmanager
def shown() -> Iterator[None]:
    """What this process prints meanwhile is `Shown`; streams that were closed lead nowhere."""
    for number in (0, 1, 2):  # or the next file that is opened would be taken for one of them
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = before[0] or _nowhere()
    sys.stdout, sys.stderr = (_shown(stream or _nowhere()) for stream in before[1:])
    try:
        yield
    finally:
        with suppress(OSError, SystemExit):  # whoever has closed it wants no more
            sys.stderr.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _nowhere() -> TextIO:
    return open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123 - as long as we run


def _shown(stream: TextIO) -> TextIO:
    try:
        return Shown(stream)
    except io.UnsupportedOperation:  # it is no file, but what a test collects texts in
        return stream


def _visible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


codecs.register_error("visible", _visible)
