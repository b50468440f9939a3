"""`python -m bench.agent case.json`: measures one case and prints one JSON object.

Exit codes: 0 measured, 2 the input is at fault, 1 anything else; both failures print
`{"error": "…"}`. What libraries print goes to standard error, so that the answer stays alone.
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.agent.case import read_case
from bench.agent.measure import measure
from speech.errors import BadInput


def main(arguments: Sequence[str]) -> int:
    """The exit code; the answer is on standard output by then."""
    with contextlib.redirect_stdout(sys.stderr):
        code, answer = _answer(arguments)
    print(answer)
    return code


def _answer(arguments: Sequence[str]) -> tuple[int, str]:
    try:
        if len(arguments) != 1:
            raise BadInput("Usage: python -m bench.agent case.json")
        return 0, measure(read_case(Path(arguments[0]))).to_json()
    except BadInput as problem:
        return 2, _failure(str(problem))
    except Exception as problem:
        traceback.print_exc()
        return 1, _failure(f"{type(problem).__name__}: {problem}")


def _failure(reason: str) -> str:
    return json.dumps({"error": reason}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
