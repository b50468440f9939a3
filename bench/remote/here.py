"""The device `this`: the same errands, without SSH and without sending bundles anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from bench.remote.devices import THIS, Device
from speech.errors import BadInput
from speech.records import brief


class Here:
    """A link to the machine that this runs on; its python3 is the one that runs this."""

    def __init__(self) -> None:
        self.device = Device(THIS, "localhost")
        self._opened: list[subprocess.Popen[bytes]] = []

    def open(self, words: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        python, *rest = words
        process = subprocess.Popen(
            [sys.executable if python == "python3" else python, *rest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        self._opened = [*(other for other in self._opened if other.poll() is None), process]
        return process

    def explain(self, program: str, code: int, errors: str) -> Exception:
        last = errors.strip().splitlines()[-1:] or ["it said nothing"]
        return BadInput(f"{program} ended with code {code} on this machine: {brief(last[0])}")

    def drop(self) -> None:
        """There is no connection that could be dead."""

    def interrupt(self) -> None:
        for process in self._opened:
            if process.poll() is None:
                process.terminate()

    def close(self) -> None:
        """Nothing is shared."""
