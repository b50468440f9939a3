"""One errand: its data comes on standard input, and its answer goes out as JSON.

A `problem` in an answer is the user's to mend.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from typing import Any

from bench.remote.there.environment import environment, is_ready
from bench.remote.there.jobs import describe, follow, jobs, start, stop
from bench.remote.there.places import FULL, Problem, cache
from bench.remote.there.room import clean
from bench.remote.there.store import assemble, receive

ERRANDS: dict[str, Callable[..., dict[str, Any]]] = {
    errand.__name__: errand
    for errand in (
        *(receive, assemble, is_ready, environment, clean),
        *(start, stop, jobs, describe, follow),
    )
}


def main(name: str, *words: str) -> None:
    try:
        answer = ERRANDS[name](*words)
    except Problem as problem:
        answer = {"problem": str(problem)}
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(next(p for p in (cache(), *cache().parents) if p.exists())).free
        answer = {
            "problem": f"its disk is full ({free >> 20} MiB free): make room there and try again; "
            f"what is in {cache()} can be deleted, and is sent anew when it is needed."
        }
    sys.stdout.write(json.dumps(answer) + "\n")
