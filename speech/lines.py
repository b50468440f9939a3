"""Lines of files that anybody may have written: one by one, and none longer than makes sense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_PIECE = 1 << 16


@dataclass(frozen=True)
class RawLine:
    """Its number, from 1, and its bytes without the line end; none where there are too many."""

    number: int
    data: bytes
    is_ended: bool = True  # by a line end: the last line of a file may be torn
    is_too_long: bool = False


def raw_lines(file: IO[bytes], most: int) -> Iterator[RawLine]:
    """Every line; of one that is longer than `most` bytes only so much is ever held."""
    number = 0
    while data := file.readline(most + 1):
        number += 1
        is_ended = data.endswith(b"\n")
        if is_ended or len(data) <= most:
            yield RawLine(number, data.removesuffix(b"\n"), is_ended)
            continue
        while (rest := file.readline(_PIECE)) and not rest.endswith(b"\n"):
            pass
        yield RawLine(number, b"", bool(rest), is_too_long=True)


#: Sentences about one file; somebody has to read them.
_MOST_SENTENCES = 3


def first_few(sentences: list[str], where: str, what: str = "lines") -> list[str]:
    """Of what was found wrong in `where`: the first, and how many more there are."""
    more = len(sentences) - _MOST_SENTENCES
    if more <= 1:
        return sentences
    return [*sentences[:_MOST_SENTENCES], f"{where}: {more} more {what} are left out."]
