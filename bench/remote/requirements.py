"""What the agent needs on a device: what Secateur itself needs without extras, as it is here.

The same versions as on the host, so that both hear the same and only the machine differs.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version

from speech.errors import BadInput

#: The distribution whose requirements count.
DISTRIBUTION = "secateur"


def device_requirements() -> list[str]:
    """Such as `numpy==2.4.6`, by name. Whatever these need in turn is for pip to choose."""
    names = [
        re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        for requirement in requires(DISTRIBUTION) or []
        if "extra ==" not in requirement
    ]
    try:
        return sorted(f"{name}=={version(name)}" for name in names)
    except PackageNotFoundError as error:
        raise BadInput(
            f"{error.name} is not installed here: pip install {DISTRIBUTION}."
        ) from error
