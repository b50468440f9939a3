"""`python -m tui.web "COMMAND"`: the app that a command starts, in a browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Serves on this machine only, one process of the app for each page that is open."""
    if len(arguments) != 1:
        sys.stderr.write('Usage: python -m tui.web "secateur tui RESULTS"\n')
        return 2
    from textual_serve.server import Server

    Server(arguments[0], host="localhost", title="Secateur").serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
