"""Whether a measuring process kept to what a device has installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable

# Their presence would mean that the host's memory and start-up were measured, not a device's.
FORBIDDEN = ("torch", "transformers", "optimum")


def forbidden_modules(loaded: Iterable[str] | None = None) -> tuple[str, ...]:
    """Which of the host's libraries this process has imported: none, or the waterline leaks."""
    names = set(sys.modules if loaded is None else loaded)
    return tuple(name for name in FORBIDDEN if name in names)
