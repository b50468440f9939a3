"""Plain JSON values back into frozen dataclasses, checking every type on the way.

A results file may be old, cut off or edited by hand; a wrong value must be found here, with its
place, and not later inside a table or a plot.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def record_from(kind: type[Record], value: object, place: str = "") -> Record:
    """A `kind` dataclass from a JSON object; raises ValueError naming the place that is wrong."""
    where = place or "the record"
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]  # classes can be hashed
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(f"{where} has an unknown key {unknown[0]!r}")
    for field in fields(kind):  # type: ignore[arg-type]  # only dataclasses come here
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in value:
            raise ValueError(f"{where} lacks the key {field.name!r}")
    prefix = f"{place}." if place else ""
    return kind(**{key: _checked(hints[key], item, prefix + key) for key, item in value.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """Asked for once a class: a journal has many thousands of lines."""
    return get_type_hints(kind)


def _checked(hint: Any, value: object, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{place} must be one of {', '.join(arguments)}, got {value!r}")
        return value
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, place)
    if origin is tuple:
        return tuple(
            _checked(arguments[0], item, f"{place}[{index}]")
            for index, item in enumerate(_expected(list, value, place))
        )
    if origin is list:
        return [_checked(arguments[0], item, place) for item in _expected(list, value, place)]
    if origin is Mapping:
        items = _expected(dict, value, place).items()
        return {key: _checked(arguments[1], item, f"{place}.{key}") for key, item in items}
    if is_dataclass(hint):
        return record_from(hint, value, place)  # type: ignore[arg-type]  # a class, not an instance
    return _scalar(hint, value, place)


def _one_of(choices: tuple[Any, ...], value: object, place: str) -> Any:
    if value is None and type(None) in choices:
        return None
    problem = ValueError(f"{place} has a wrong value: {value!r}")
    for choice in (choice for choice in choices if choice is not type(None)):
        try:
            return _checked(choice, value, place)
        except ValueError as found:
            problem = found
    raise problem


def _scalar(kind: Any, value: object, place: str) -> Any:
    """JSON has one kind of number: a whole one is a good float, and a truth value is neither."""
    if isinstance(value, bool) and kind is not bool:
        raise ValueError(f"{place} must be {kind.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be a finite number, got {value!r}")
    if kind is float and isinstance(value, int):
        return float(value)
    if kind is Path:
        return Path(_expected(str, value, place))
    return _expected(kind, value, place)


def _expected(kind: type[Any], value: object, place: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{place} must be {kind.__name__}, got {value!r}")
    return value
