"""What tokens spell: the part of a tokenizer that listening needs.

The tokenizers library would also learn how to split text, which costs a device 40 MB for Whisper's
vocabulary and is never asked of it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from speech.errors import BadInput

#: More tokens than any vocabulary has: a higher number is damage.
_MOST = 1_000_000

#: Characters of what is wrong with a file that are passed on: it may quote the file.
_LONGEST = 200

_START = "<|startoftranscript|>"

#: Timestamps are no special tokens to a tokenizer, yet no text either.
_TIMESTAMP = re.compile(r"<\|\d+\.\d+\|>")


class Spelling:
    """The bytes of every token of a byte-level vocabulary; of specials and timestamps, none.

    They are kept in one piece: objects by the ten thousand would hold on to much more memory.
    """

    def __init__(self, words: Mapping[int, bytes], start: int | None = None):
        if words and not 0 <= min(words) <= max(words) < _MOST:
            raise ValueError(f"its tokens are not numbered from 0 to {_MOST} at most")
        ordered = [words.get(token, b"") for token in range(max(words, default=-1) + 1)]
        self._ends = np.cumsum([0, *map(len, ordered)], dtype=np.uint32)
        self._spelt = b"".join(ordered)
        #: The special token that a transcript begins with; None where it has no name here.
        self.start = start

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a tokenizer.json."""
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            named = {added["content"]: int(added["id"]) for added in table["added_tokens"]}
            return cls(dict(_words(table)), named.get(_START))
        except Exception as error:  # of a file that is something else, anything may be missing
            reason = f"{type(error).__name__}: {str(error)[:_LONGEST]}"
            raise BadInput(
                f"{path} is no byte-level tokenizer ({reason}): export the bundle again."
            ) from error

    @property
    def highest(self) -> int:
        """The last token that spells something; -1 where none does."""
        return int(np.searchsorted(self._ends, self._ends[-1])) - 1

    def first_silent(self) -> int:
        """The first token that spells nothing, such as one that comes after all others."""
        silent = self._ends[1:] == self._ends[:-1]
        return int(silent.argmax()) if silent.any() else len(silent)

    def __call__(self, tokens: Iterable[int]) -> str:
        """Bytes that are no UTF-8, as of a letter that was cut off, become replacement marks."""
        return b"".join(map(self._bytes, tokens)).decode(errors="replace")

    def _bytes(self, token: int) -> bytes:
        if not 0 <= token < len(self._ends) - 1:
            return b""
        return self._spelt[self._ends[token] : self._ends[token + 1]]


def _words(table: dict[str, Any]) -> Iterable[tuple[int, bytes]]:
    kind = table["decoder"]["type"]
    if kind != "ByteLevel":
        raise ValueError(f"its decoder is {kind}")
    letters = _bytes_by_letter()
    for word, token in table["model"]["vocab"].items():
        yield int(token), _bytes(word, letters)
    for added in table["added_tokens"]:
        word = str(added["content"])
        silent = added["special"] or _TIMESTAMP.fullmatch(word)
        yield int(added["id"]), b"" if silent else _bytes(word, letters)


def _bytes(word: str, letters: dict[str, int]) -> bytes:
    """A word with a letter that stands for no byte is meant as it is written."""
    try:
        return bytes([letters[letter] for letter in word])
    except KeyError:
        return word.encode()


def _bytes_by_letter() -> dict[str, int]:
    """Byte-level vocabularies write a byte that cannot be printed as a letter from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = sorted(set(range(256)) - set(printable))
    return {chr(byte): byte for byte in printable} | {
        chr(256 + i): byte for i, byte in enumerate(others)
    }
