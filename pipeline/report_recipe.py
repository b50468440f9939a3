"""A recipe as bundles keep it, back in TOML that `secateur run` takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Without the keys that are as by default: some methods would have no use for them."""
    from pipeline.recipe import Recipe

    return "\n\n".join(_tables(_said(recipe, Recipe), ""))


def _said(table: Mapping[str, Any], section: Any) -> dict[str, Any]:
    """What differs from the schema's defaults; keys that this version does not know stay."""
    from pydantic import BaseModel

    said: dict[str, Any] = {}
    for key, value in table.items():
        field = section.model_fields.get(key)
        default = field.get_default(call_default_factory=True) if field else None
        if isinstance(value, Mapping) and field:
            kind = type(default) if isinstance(default, BaseModel) else field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                value = _said(value, kind)
        if value is not None and value != {} and value != default:
            said[key] = value
    return said


def _tables(table: Mapping[str, Any], path: str) -> Iterator[str]:
    from pipeline.recipe.toml_text import spelt

    plain = {key: value for key, value in table.items() if not _is_section(path, key, value)}
    lines = [f"[{path}]"] if path and plain else []
    lines += [f"{key} = {spelt(value)}" for key, value in plain.items()]
    if lines:
        yield "\n".join(lines)
    for key, value in table.items():
        if key not in plain:
            yield from _tables(value, f"{path}.{key}" if path else key)


def _is_section(path: str, key: str, value: Any) -> bool:
    """A table of free keys, such as shares by component, is one value."""
    return isinstance(value, Mapping) and (not path or key == "fine_tuning")
