"""The supervisor's processes: the sampler, and one measuring process after another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

#: Where the rooms lie.
ROOT = Path(__file__).resolve().parents[2]
AGENT = (sys.executable, "-m", "bench.agent")
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_GRACE = 2.0  # seconds to end in by itself


class Child:
    """A process that is heard line by line, and never outlives its `with`."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: IO[bytes] | int
    ):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        self._begun = b""
        self.is_silent = False  # it has closed its output

    @property
    def pid(self) -> int:
        return self.process.pid

    def fileno(self) -> int:
        return _pipe(self.process.stdout).fileno()

    def lines(self) -> list[str]:
        """What has come since; waits for some if there is none."""
        data = os.read(self.fileno(), 1 << 16)
        self.is_silent = not data
        *whole, self._begun = (self._begun + data).split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def nudge(self) -> None:
        """One byte on its standard input."""
        with suppress(OSError):
            os.write(_pipe(self.process.stdin).fileno(), b"\n")

    def exit_code(self) -> int:
        """Of a process that has fallen silent."""
        try:
            return self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()


def measuring_environment(threads: int) -> dict[str, str]:
    """This process' own, with every library held to the same count of threads."""
    return {**agent_environment(), **{name: str(threads) for name in _THREAD_VARIABLES}}


def agent_environment() -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
    }


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # Popen was asked for all of them
    return pipe
