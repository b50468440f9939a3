"""Texts from outside as the app shows them: control characters of a record become visible.

It is done once, where answers and news enter the app, so that no widget has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from speech.printable import printable

Value = TypeVar("Value")

#: Metadata of a field that is never shown: something is looked up by it, so it stays as it is.
NOT_SHOWN = {"shown": False}


def shown(value: Value) -> Value:
    """The same value, or one with other texts in it; paths stay, as files are opened by them."""
    return cast("Value", _shown(value))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else printable(value)
    if value is None or isinstance(value, int | float):
        return value
    if is_dataclass(value):
        return _record(value)
    if isinstance(value, Mapping):
        return _same({_shown(key): _shown(item) for key, item in value.items()}, value)
    if isinstance(value, list | tuple):
        return _same(type(value)(map(_shown, value)), value)
    return value


def _same(after: Any, before: Any) -> Any:
    """What has not changed is not kept twice: most texts are harmless, and rows are many."""
    return before if after == before else after


def _record(value: Any) -> Any:
    changed = {}
    for name in _names(type(value)):  # type: ignore[arg-type]  # classes can be hashed
        before = getattr(value, name)
        if before is None or type(before) is float:  # most of a row
            continue
        after = _shown(before)
        if after is not before:
            changed[name] = after
    return replace(value, **changed) if changed else value


@cache
def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind) if field.metadata.get("shown", True)]
