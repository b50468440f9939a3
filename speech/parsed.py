"""JSON and TOML that anybody may have written: whatever is wrong with it is a ValueError.

Python's own readers end in a RecursionError where brackets are nested by the thousand.
"""

import json
from typing import Any

from speech.records import shortened

_TOO_DEEP = "Nested too deeply"


def json_from(text: str | bytes, **how: Any) -> Any:
    """As `json.loads`; raises JSONDecodeError, or what the functions that were given raise."""
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise json.JSONDecodeError(_TOO_DEEP, "", 0) from None


def toml_from(text: str) -> dict[str, Any]:
    """As `tomllib.loads`, without whole numbers that TOML does not have."""
    import tomllib  # Imported here: a device reads none.

    try:
        found = tomllib.loads(text)
        _refuse_beyond_64_bits(found)
    except RecursionError:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from None
    return found


def _refuse_beyond_64_bits(value: object, key: str = "") -> None:
    """Python cannot even write some of them down."""
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_beyond_64_bits(item, name)
    elif isinstance(value, list):
        for item in value:
            _refuse_beyond_64_bits(item, key)
    elif isinstance(value, int) and value.bit_length() > 64:
        raise ValueError(f"the number of {shortened(key)} is larger than any may be")
