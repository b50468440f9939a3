"""`python -m tui RESULTS`: compare the variants of a results file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.crash import INTERNAL_ERROR, sentence_about
from speech.cache_folder import cache_folder
from speech.errors import BadInput
from speech.printable import printable
from tui.opening import run


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 for bad input and 70 for a fault of ours, with one sentence."""
    try:
        if len(arguments) != 1:
            raise BadInput("Usage: python -m tui RESULTS (a results.jsonl file)")
        run(Path(arguments[0]))
    except BadInput as problem:
        sys.stderr.write(f"{printable(str(problem))}\n")
        return 2
    except Exception as problem:
        sys.stderr.write(f"{printable(sentence_about(problem, cache_folder))}\n")
        return INTERNAL_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
