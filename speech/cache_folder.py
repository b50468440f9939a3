"""Where this user keeps what can be made or fetched again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """SECATEUR_CACHE, or the place that this system has for it; not there yet, perhaps."""
    if named := os.environ.get("SECATEUR_CACHE"):
        return Path(named).expanduser()
    import pooch

    Path.home()  # raises where nobody knows it: pooch would make a folder that is called `~`
    return Path(pooch.os_cache("secateur"))
