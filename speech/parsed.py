"""JSON and TOML that anybody may have written: whatever is wrong with it is a ValueError.

Python's own readers end in a RecursionError where brackets are nested by the thousand.
"""

import json
from typing import Any

_TOO_DEEP = "Nested too deeply"


def json_from(text: str | bytes, **how: Any) -> Any:
    """As `json.loads`; raises JSONDecodeError, or what the functions that were given raise."""
    try:
        return json.loads(text, **how)
    except RecursionError:
        raise json.JSONDecodeError(_TOO_DEEP, "", 0) from None


def toml_from(text: str) -> dict[str, Any]:
    """As `tomllib.loads`."""
    import tomllib  # Imported here: a device reads none.

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from None
