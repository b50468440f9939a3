"""Plain JSON values into frozen dataclasses: the one gate for what comes from outside.

Files may be old, cut off or edited by hand, and a device may send anything. What a field may hold
stands at the field, as its type and `Annotated` with the limits below; what does not fit is found
here, with its place, before a table, a sum or a database meets it.

Kept by hand: msgspec cannot refuse unknown keys of dataclasses, nor tell a list of numbers from a
list of texts, and costs every measuring process 1.6 MB and 20 ms.
"""

from __future__ import annotations

import math
import re
import reprlib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
_Reader = Callable[[Any], Any]

#: What holds where a field says nothing: SQLite's integers, and numbers that can be summed.
_MOST_WHOLE, _MOST = 2**63 - 1, 1e15
_LONGEST_TEXT, _MOST_ITEMS, _LONGEST_PATH, _LONGEST_KEY = 1_000_000, 1_000_000, 4096, 1000
#: How deeply values may be nested that have no record of their own.
_DEEPEST = 16


@dataclass(frozen=True)
class Range:
    """Of a number: both ends belong to it, `above` does not."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    finest: float = 0.0  # what is smaller, but not 0, would make no sense as a divisor

    def check(self, value: float) -> None:
        if not (self.least <= value <= self.most and value > self.above):
            raise _Wrong(f"must be {self}, got {shortened(value)}")
        if 0 < abs(value) < self.finest:
            raise _Wrong(f"must be 0 or at least {self.finest:g}, got {shortened(value)}")

    def __str__(self) -> str:
        low = f"above {self.above:.16g}" if self.above > -math.inf else ""
        low = f"{self.least:.16g} or more" if self.least > -math.inf else low
        if self.most == math.inf:
            return low
        if self.least > -math.inf:
            return f"between {self.least:.16g} and {self.most:.16g}"
        return f"{low} and at most {self.most:.16g}" if low else f"at most {self.most:.16g}"


@dataclass(frozen=True)
class Length:
    """Characters of a text, or entries of a list or an object."""

    most: int
    least: int = 0

    def check(self, value: Any) -> None:
        if not self.least <= len(value) <= self.most:
            what = "characters" if isinstance(value, str) else "entries"
            raise _Wrong(f"must have {self.least} to {self.most} {what}, got {len(value)}")


@dataclass(frozen=True)
class Pattern:
    """A text that matches as a whole; `meaning` says in words what it is, as 'a SHA-256'."""

    pattern: str
    meaning: str

    def check(self, value: str) -> None:
        if not re.fullmatch(self.pattern, value):
            raise _Wrong(f"must be {self.meaning}, got {shortened(value)}")


@dataclass(frozen=True)
class Keys:
    """Of an object that may have any others: what these hold where they are there."""

    hints: tuple[tuple[str, Any], ...]

    def check(self, value: Mapping[str, Any]) -> None:
        for key, hint in self.hints:
            if key in value:
                try:
                    _reader(hint)(value[key])
                except _Wrong as wrong:
                    raise wrong.within(f".{key}") from None


# Limits that many records share. A duration is at most a third of a year, and a size a pebibyte;
# no clock tells less than a nanosecond.
Count = Annotated[int, Range(0, 2**53)]
Bytes = Annotated[int, Range(0, 2**50)]
Seconds = Annotated[float, Range(0, 1e7, finest=1e-10)]
Share = Annotated[float, Range(0, 1)]
#: Errors per word or character; a model that loops has many of them for each.
Rate = Annotated[float, Range(0, 1e6)]
Name = Annotated[str, Length(500)]
Sentence = Annotated[str, Length(20_000)]


def record_from(kind: type[Record], value: object, place: str = "") -> Record:
    """A `kind` dataclass from a JSON object; raises ValueError naming the place that is wrong.

    Unknown keys are wrong, unless the class says `ignores_unknown_keys: ClassVar = True`.
    """
    record: Record = value_from(kind, value, place)
    return record


def value_from(hint: Any, value: object, place: str = "") -> Any:
    """As `record_from`, for any type that a field may have, such as `Any`."""
    try:
        return _reader(hint)(value)
    except _Wrong as wrong:
        where = (place + wrong.place).removeprefix(".") or "the record"
        raise ValueError(f"{where} {wrong.what}") from None


def shortened(value: object) -> str:
    """As in a sentence for people: what a file or a device says can be megabytes long."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length() * 0.30103:.0f} digits"
    return _brief.repr(value)


def brief(text: str, most: int = 400) -> str:
    """Somebody else's words within a sentence of ours, at most so many characters of them."""
    return text if len(text) <= most else f"{text[:most]} …"


_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 80
_brief.maxlevel, _brief.maxlist, _brief.maxdict = 3, 4, 4


class _Wrong(Exception):  # noqa: N818 - what is wrong; the place is added on the way out
    def __init__(self, what: str):
        super().__init__(what)
        self.what = what
        self.place = ""

    def within(self, part: str) -> _Wrong:
        self.place = part + self.place
        return self


@cache
def _record_reader(kind: type[Any]) -> _Reader:
    """Made once a class: a journal has many thousands of lines."""
    hints = get_type_hints(kind, include_extras=True)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    needed = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    is_tolerant = getattr(kind, "ignores_unknown_keys", False)

    def read(value: Any) -> Any:
        table = _object(value)
        if not is_tolerant and (unknown := table.keys() - readers.keys()):
            raise _Wrong(f"has an unknown key {shortened(min(unknown))}")
        for name in needed:
            if name not in table:
                raise _Wrong(f"lacks the key {name!r}")
        found = {}
        for name, item in table.items():
            if name in readers:
                try:
                    found[name] = readers[name](item)
                except _Wrong as wrong:
                    raise wrong.within(f".{name}") from None
        return kind(**found)

    return read


@cache
def _reader(hint: Any) -> _Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _limited(arguments[0], arguments[1:])
    if hint is Any:
        return _plain
    if origin is Literal:
        return _one_word_of(arguments)
    if origin in (Union, types.UnionType):
        return _one_of(arguments)
    if origin in (list, tuple):
        return _many(origin, arguments)
    if origin is Mapping or origin is dict:
        return _mapping(arguments)
    if is_dataclass(hint):
        return _record_reader(hint)  # type: ignore[arg-type]  # a class, not an instance
    return {str: _text, int: _whole, float: _number, bool: _flag, Path: _path}[hint]


def _limited(hint: Any, limits: tuple[Any, ...]) -> _Reader:
    reader = _reader(hint)

    def read(value: Any) -> Any:
        found = reader(value)
        for limit in limits:
            limit.check(found)
        return found

    return read


def _one_word_of(words: tuple[str, ...]) -> _Reader:
    def read(value: Any) -> Any:
        if value not in words:
            raise _Wrong(f"must be one of {', '.join(words)}, got {shortened(value)}")
        return value

    return read


def _one_of(choices: tuple[Any, ...]) -> _Reader:
    is_optional = type(None) in choices
    readers = [_reader(choice) for choice in choices if choice is not type(None)]

    def read(value: Any) -> Any:
        if value is None and is_optional:
            return None
        wrong = None
        for reader in readers:
            try:
                return reader(value)
            except _Wrong as found:
                wrong = found
        raise wrong or _Wrong("has no possible value")

    return read


def _many(origin: type, arguments: tuple[Any, ...]) -> _Reader:
    """Of one kind throughout, or a tuple with a kind for each place."""
    is_fixed = origin is tuple and arguments[-1] is not Ellipsis
    readers = [_reader(argument) for argument in arguments if argument is not Ellipsis]

    def read(value: Any) -> Any:
        items = _list(value)
        if is_fixed and len(items) != len(readers):
            raise _Wrong(f"must have {len(readers)} entries, got {len(items)}")
        found = []
        for index, item in enumerate(items):
            try:
                found.append(readers[index if is_fixed else 0](item))
            except _Wrong as wrong:
                raise wrong.within(f"[{index}]") from None
        return origin(found)

    return read


def _mapping(arguments: tuple[Any, ...]) -> _Reader:
    key_reader, reader = map(_reader, arguments)

    def read(value: Any) -> Any:
        found = {}
        for key, item in _object(value).items():
            if len(key) > _LONGEST_KEY:
                raise _Wrong(f"has a key of {len(key)} characters")
            try:
                found[key_reader(key)] = reader(item)
            except _Wrong as wrong:
                raise wrong.within(f".{key}" if key.isprintable() else f".{key!r}") from None
        return found

    return read


def _plain(value: Any, depth: int = 0) -> Any:
    """Whatever JSON can hold, as deep as somebody means it, and nothing that breaks later."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return _number(value)
    if depth >= _DEEPEST:
        raise _Wrong("is nested too deeply")
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
    raise _Wrong(f"is {type(value).__name__}, which is no JSON value")


def _text(value: Any) -> str:
    """Without halves of characters, which no file and no database takes."""
    if not isinstance(value, str):
        raise _Wrong(f"must be str, got {shortened(value)}")
    if len(value) > _LONGEST_TEXT:
        raise _Wrong(f"has {len(value)} characters, more than {_LONGEST_TEXT}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Wrong(f"is no valid Unicode text, got {shortened(value)}") from None
    return value


def _path(value: Any) -> Path:
    text = _text(value)
    if "\0" in text or len(text) > _LONGEST_PATH:
        raise _Wrong(f"cannot be a path, got {shortened(value)}")
    return Path(text)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"must be bool, got {shortened(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"must be int, got {shortened(value)}")
    if abs(value) > _MOST_WHOLE:
        raise _Wrong(f"is too large, got {shortened(value)}")
    return value


def _number(value: Any) -> float:
    """JSON has one kind of number: a whole one is a good float, and a truth value is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"must be float, got {shortened(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Wrong(f"must be a finite number, got {value!r}")
    if abs(value) > _MOST:
        raise _Wrong(f"is too large, got {shortened(value)}")
    return float(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(f"must be list, got {shortened(value)}")
    if len(value) > _MOST_ITEMS:
        raise _Wrong(f"has {len(value)} entries, more than {_MOST_ITEMS}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("is not an object")
    return value
