"""The texts that a trimmed vocabulary must spell: those of a corpus, or a file's lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speech.corpora import open_corpus
from speech.corpora.opening import NAMES
from speech.errors import BadInput
from speech.readable import expanded

#: Characters of a line; a whole book in one would be taken apart in memory at once.
_LONGEST = 100_000


@dataclass(frozen=True)
class NeededTexts:
    """Those that say anything; a file is read line by line, each time it is gone through."""

    name: str
    count: int
    _lines: Iterable[str]

    def __iter__(self) -> Iterator[str]:
        return _spoken(self._lines)


def needed_texts(wanted: str) -> NeededTexts:
    """`wanted` is a UTF-8 file with one text a line, or a corpus as `open_corpus` knows it.

    Everything is read through once, so that what cannot be used is refused before any work.
    """
    try:
        name, lines = _found(wanted)
    except OSError as error:  # such as a text in place of a name, which is too long for one
        raise BadInput(f"{wanted[:60]!r} cannot be looked for: {error.strerror}.") from error
    count = sum(1 for _ in _spoken(lines))
    if not count:
        raise BadInput(f"{name} has no words in it: give texts that the model must be able to say.")
    return NeededTexts(name, count, lines)


def _found(wanted: str) -> tuple[str, Iterable[str]]:
    path = expanded(wanted)
    if wanted not in NAMES and path.is_file():
        return str(path), _Lines(path)
    if wanted not in NAMES and not path.is_dir() and _is_meant_as_path(path, wanted):
        raise BadInput(f"There is no plain file or folder {wanted!r}; check the path.")
    corpus = open_corpus(wanted)
    return corpus.name, [clip.text for clip in corpus.clips]


def _spoken(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


def _is_meant_as_path(path: Path, wanted: str) -> bool:
    """Also where nothing is there; `owner/name` on the hub may end in .0, but not in .txt."""
    is_placed = wanted.startswith((".", "~", "/")) or wanted.count("/") > 1
    return is_placed or path.exists() or path.suffix[1:].isalpha()


@dataclass(frozen=True)
class _Lines:
    path: Path

    def __iter__(self) -> Iterator[str]:
        number = 0
        try:
            with self.path.open(encoding="utf-8-sig") as file:
                while line := file.readline(_LONGEST + 1):
                    number += 1
                    if len(line) > _LONGEST:
                        raise BadInput(
                            f"{self.path}, line {number}, is longer than {_LONGEST:,} characters: "
                            "write one text a line."
                        )
                    yield line.rstrip("\n")
        except UnicodeDecodeError:
            raise BadInput(f"{self.path} is not UTF-8 text; save it as UTF-8.") from None
        except OSError as error:
            raise BadInput(f"{self.path} cannot be read: {error.strerror}.") from error
