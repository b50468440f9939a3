"""What pydantic found wrong, as sentences with the key, the value and the nearest valid one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.recipe.schema import Recipe
from pipeline.recipe.section import Section, did_you_mean
from pipeline.recipe.toml_text import spelt

#: By pydantic's name of what was expected.
_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list in brackets",
    "dict_type": "a table",
    "model_type": "a section",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_LONGEST = 80

Location = tuple[int | str, ...]


def sentence(error: ErrorDetails) -> str:
    """Without its full stop."""
    location, kind, value = error["loc"], error["type"], error["input"]
    key = spelt(".".join(map(str, location)))[1:-1]
    if kind == "extra_forbidden":
        return _unknown(location)
    if kind == "missing":
        example = spelt_example(field_at(location), location)
        return f"the key {key!r} is missing{example and f': add {example}'}"
    message = _message(error)
    if isinstance(value, dict) and kind == "value_error":  # a whole section; the message says more
        return f"{key}: {message}" if key else message
    return f"{key} = {_shown(value)}: {message}"


def keys(section: type[Section] = Recipe, above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All keys of a recipe with dots between them; those of a section follow it."""
    for name, field in section.model_fields.items():
        yield above + name, field
        if inner := section_of(field):
            yield from keys(inner, f"{above}{name}.")


def section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def field_at(location: Location) -> FieldInfo | None:
    """That of a key, or of the list or table that the location is in."""
    known = dict(keys())
    for count in range(len(location), 0, -1):
        if field := known.get(".".join(map(str, location[:count]))):
            return field
    return None


def spelt_example(field: FieldInfo | None, location: Location) -> str:
    """`name = "study"`, or the words that a section has for one."""
    if field is None or not field.examples:
        return ""
    example = field.examples[0]
    return str(example) if section_of(field) else f"{location[-1]} = {spelt(example)}"


def _unknown(location: Location) -> str:
    *above, name = map(str, location)
    known = dict(keys())
    prefix = ".".join([*above, ""])
    here = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
    here = [key for key in here if "." not in key]
    said = f"unknown key {'.'.join([*above, name])!r}"
    elsewhere = [key for key in known if key.rpartition(".")[2] == name]
    if elsewhere and not did_you_mean(name, here, 0.7):
        return f"{said} (did you mean {elsewhere[0]!r}?)"
    return said + (did_you_mean(name, here) or f"; valid here: {', '.join(here)}")


def _message(error: ErrorDetails) -> str:
    kind, value, location = error["type"], error["input"], error["loc"]
    limits: Mapping[str, Any] = error.get("ctx", {})
    if kind == "finite_number":
        return f"it must be a finite number{_near_number(location)}"
    if kind in _KINDS:
        return f"it must be {_KINDS[kind]}{_converted(kind, value, location)}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"it must be {words} {limits[name]:g}{_within(kind, value, limits[name])}"
    if kind == "literal_error":
        return _choice(str(value), re.findall(r"'([^']*)'", str(limits["expected"])))
    if kind == "string_pattern_mismatch":
        near = re.sub(r"[^A-Za-z0-9._-]+", "-", str(value)).strip("-._")
        hint = f" (did you mean {near!r}?)" if near else ""
        return f"it must be letters, digits, dots, dashes and underscores{hint}"
    if kind in ("too_short", "string_too_short"):
        example = spelt_example(field_at(location), location)
        return f"it must not be empty{example and f', such as {example}'}"
    return error["msg"].removeprefix("Value error, ")


def _choice(value: str, known: list[str]) -> str:
    return f"choose from {', '.join(map(repr, known))}{did_you_mean(value, known, 0.4)}"


def _converted(kind: str, value: object, location: Location) -> str:
    """The value as it was probably meant, else an example."""
    meant: object = None
    match kind, value:
        case "list_type", str() | int() | float():
            meant = [value]
        case "string_type", int() | float():
            meant = str(value)
        case "int_type", float():
            meant = round(value) if abs(value) < 1e15 else None
        case "bool_type", str() | int():
            meant = _WORDS.get(str(value).lower(), {"1": True, "0": False}.get(str(value)))
        case "int_type" | "float_type", str():
            meant = _number(value, whole=kind == "int_type")
    if meant is not None:
        return f" (did you mean {spelt(meant)}?)"
    return _near_number(location) or _such_as(location)


def _number(text: str, *, whole: bool) -> float | int | None:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    if not found:
        return None
    number = float(found[1]) / (100 if found[2] else 1)
    return int(number) if whole else number


def _near_number(location: Location) -> str:
    field = field_at(location)
    default = None if field is None or field.is_required() else field.default
    usable = isinstance(default, int | float) and not isinstance(default, bool)
    return f", such as {spelt(default)}" if usable else ""


def _such_as(location: Location) -> str:
    example = spelt_example(field_at(location), location)
    return f", such as {example}" if example and not isinstance(location[-1], int) else ""


def _within(kind: str, value: float, bound: float) -> str:
    if kind.startswith("less") and bound == 1 and 1 < value <= 100:
        return f" (did you mean {value / 100:g}?)"
    if kind.endswith("equal"):
        return f", so {bound:g} is the nearest"
    return ""


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else spelt(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
