"""One errand: its data comes on standard input, and its answer goes out as JSON.

A `problem` in an answer is the user's to mend.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


#: Seconds between signs that an errand which takes long has not died.
SIGN_EVERY = 5.0


def main(name: str, *words: str) -> None:
    with signs_of_life(name != "follow"):
        try:
            answer = ERRANDS[name](*words)
        except Problem as problem:
            answer = {"problem": str(problem)}
        except OSError as error:
            answer = {"problem": _blamed(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


@contextmanager
def signs_of_life(wanted: bool) -> Iterator[None]:
    """Spaces, which JSON may have before it; not where an errand gives signs of its own."""
    over = threading.Event()

    def show() -> None:
        with suppress(OSError):  # nobody is there to see it
            while not over.wait(SIGN_EVERY):
                os.write(1, b" ")

    thread = threading.Thread(target=show, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if wanted:
            thread.join()


def _blamed(error: OSError) -> str:
    """Raises what is no fault of a disk or a place."""
    if error.errno in FULL:
        free = shutil.disk_usage(next(p for p in (cache(), *cache().parents) if p.exists())).free
        return (
            f"its disk is full ({free >> 20} MiB free): make room there and try again; "
            "`secateur device clean` deletes what can be sent anew."
        )
    if not isinstance(error.filename, str):
        raise error
    if error.errno == errno.EROFS:
        return (
            f"{error.filename} cannot be changed there ({error.strerror}): a card that fails turns "
            "read-only; mend that, or let SECATEUR_CACHE name a folder that can be written."
        )
    return (
        f"{error.filename} cannot be used there ({error.strerror}): {cache()} must belong to who "
        "measures; give it back, or delete it."
    )
