"""`python -m bench.agent …`: what a device does for the host.

run JOB     measure what the job asks for, or go on with it; each journalled line is printed
turn FILE   one measuring process, as `run` starts them
sampler     readings of the machine, twice a second, until standard input closes
status JOB  one JSON object: how far the job is

Exit codes: 0 done, 1 stopped, 2 the input is at fault, 3 another job has the device, 70 the agent
is at fault; all but the first print `{"error": "…"}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from speech.errors import BadInput

_USAGE = "Usage: python -m bench.agent run JOB | turn FILE | sampler | status JOB"


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    from bench.agent.locks import Busy, cache_folder

    try:
        return _do(*arguments)
    except BadInput as problem:
        return _failed(2, str(problem))
    except Busy as problem:
        return _failed(3, str(problem))
    except Exception as problem:
        from runtime.crash import INTERNAL_ERROR, sentence_about

        return _failed(INTERNAL_ERROR, sentence_about(problem, cache_folder))


def _do(verb: str = "", *names: str) -> int:
    """Only what the verb needs is imported: a measuring process is to be small."""
    if verb in ("-h", "--help"):
        print(__doc__)
        return 0
    verbs: dict[str, tuple[int, Callable[..., int]]] = {
        "run": (1, _run),
        "turn": (1, _turn),
        "sampler": (0, _sampler),
        "status": (1, _status),
    }
    if verb not in verbs or len(names) != verbs[verb][0]:
        raise BadInput(_USAGE)
    return verbs[verb][1](*map(Path, names))


def _run(folder: Path) -> int:
    from bench.agent.supervisor import Stopped, run_job

    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, lambda number, _: asked.append(number))
    try:
        run_job(folder, say=_print_if_heard, stopping=lambda: bool(asked))
    except Stopped as told:
        return _failed(1, str(told))
    return 0


def _turn(file: Path) -> int:
    from bench.agent.turn_process import run_turn

    return run_turn(file)


def _sampler() -> int:
    from bench.agent.sampler import sample_until_closed

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor says when to end
    sample_until_closed(0, _print)
    return 0


def _status(folder: Path) -> int:
    from bench.agent.status import status_of

    _print(json.dumps(asdict(status_of(folder)), ensure_ascii=False))
    return 0


def _print(line: str) -> None:
    rest = memoryview(f"{line}\n".encode(errors="backslashreplace"))
    while rest:
        rest = rest[os.write(1, rest) :]


def _print_if_heard(line: str) -> None:
    """The journal has it; who listened may be gone, and measuring goes on all the same."""
    with suppress(OSError):
        _print(line)


def _failed(code: int, reason: str) -> int:
    _print_if_heard(json.dumps({"error": reason}, ensure_ascii=False))
    return code


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback of an import that was cut short
    sys.exit(main(sys.argv[1:]))
