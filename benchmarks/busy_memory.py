"""Another program that wants the machine's memory: what a busy neighbour does to a measurement."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

#: Far beyond any cache, read and written again and again.
_BYTES = 128 << 20


@contextmanager
def busy_memory() -> Iterator[None]:
    """A process beside this one copies memory all the while."""
    command = [sys.executable, "-m", "benchmarks.busy_memory"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield
        process.kill()


def _copy_until_input_ends() -> None:
    """So it does not outlive whoever started it."""
    threading.Thread(target=_copy, daemon=True).start()
    sys.stdin.read()


def _copy() -> None:
    source = np.ones(_BYTES, np.uint8)
    target = np.empty_like(source)
    while True:
        np.copyto(target, source)


if __name__ == "__main__":
    _copy_until_input_ends()
