"""`python -m tui RESULTS`: compare the variants of a results file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from speech.errors import BadInput
from tui.opening import run


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 with one sentence on standard error when the input is at fault."""
    try:
        if len(arguments) != 1:
            raise BadInput("Usage: python -m tui RESULTS (a results.jsonl file)")
        run(Path(arguments[0]))
    except BadInput as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
