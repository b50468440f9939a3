"""Follows a job to its end: over lost connections, reboots and killed supervisors."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.remote.connection import Link
from bench.remote.courier import Detached, Patience, answer_in, ask, check_end, errand
from bench.remote.journal_copy import JournalCopy
from bench.remote.refusals import Unreachable
from speech.errors import BadInput


class WasStopped(BadInput):
    """Somebody wanted the job to stop, who need not be the one who follows it."""


#: Exit codes of a supervisor that will not do better the next time: input at fault, device taken.
_FINAL = ("2", "3")

#: How often a supervisor is started anew that gets nowhere.
_RESTARTS = 3


@dataclass
class Follower:
    """`hear` is told each line of the journal once, `say` what a person should know."""

    link: Link
    start: Callable[[], None]  # the supervisor, unless it runs
    job: str
    copy: JournalCopy
    hear: Callable[[bytes], None]
    say: Callable[[str], None]
    patience: Patience = field(default_factory=Patience)
    stop: threading.Event = field(default_factory=threading.Event)

    def to_the_end(self) -> None:
        """Until the whole journal is copied. Raises `Detached` once `stop` is set."""
        for line in self.copy.kept():
            self.hear(line)
        idle = 0
        while not self.copy.ended:
            before = self.copy.size
            ending = self._kept_listening()
            if ending.get("differs"):
                self.say("its journal lost its end in a power cut; reading it anew")
                self.copy.set_aside()
            elif not self.copy.ended:
                idle = idle + 1 if self.copy.size == before else 1
                self._again(ending, last=idle > _RESTARTS)

    def _kept_listening(self) -> Any:
        """Tries again for as long as the device is away, anew whenever it has said something."""
        while True:
            before = self.copy.size
            try:
                return self._listen()
            except Unreachable as error:
                self.say(f"{error} The job goes on there; trying again …")
                if self.copy.size == before:
                    self._wait_for_device()

    def _wait_for_device(self) -> None:
        waits = self.patience.waits()
        while True:
            self.link.drop()
            wait = next(waits, None)
            if self.stop.wait(wait or 0):
                raise Detached
            try:
                ask(self.link, "assemble", data=b"{}")
            except Unreachable:
                if wait is None:
                    raise
            else:
                return

    def _listen(self) -> Any:
        """How the supervisor ended; the journal is copied until then."""
        self.copy.forget_tail()
        words = ("follow", self.job, str(self.copy.size), self.copy.sha256)
        with (
            tempfile.TemporaryFile() as errors,
            errand(self.link, *words, errors=errors) as process,
        ):
            assert process.stdout
            while (head := process.stdout.readline()).strip().isdigit():
                for line in self.copy.add(process.stdout.read(int(head))):
                    self.hear(line)
            if self.stop.is_set():
                raise Detached
            check_end(self.link, process, errors)
            return answer_in(self.link, head)

    def _again(self, ending: Any, *, last: bool) -> None:
        code, said = ending.get("exit", ""), ending.get("said", "")
        if ending.get("stopped"):
            raise WasStopped(f"{self.link.device.name}: job {self.job} was stopped.")
        if code in _FINAL or last:
            raise BadInput(
                f"{self.link.device.name}: {_reason(said) or 'the agent ended at once.'}"
            )
        how = f"ended with code {code}" if code else "is gone (was the device rebooted?)"
        self.say(f"its agent {how}; starting it again where it was")
        self.start()


def _reason(said: str) -> str:
    """The sentence in the last line of a supervisor's log."""
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said
