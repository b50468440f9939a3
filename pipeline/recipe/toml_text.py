"""Values as a recipe's TOML spells them."""

import json
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def spelt(value: object) -> str:
    """A value on one line. A string of JSON is one of TOML, but for one character."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case Mapping():
            inside = ", ".join(f"{_key(str(key))} = {spelt(each)}" for key, each in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case list() | tuple():
            return f"[{', '.join(map(spelt, value))}]"
        case _:
            return repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else spelt(name)
