"""Follows a job to its end: over lost connections, reboots and killed supervisors."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.remote.answers import Assembled, Ended, answer_in
from bench.remote.connection import Link
from bench.remote.courier import Detached, Patience, ask, errand
from bench.remote.journal_copy import JournalCopy
from bench.remote.refusals import Unreachable
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import brief


class WasStopped(BadInput):
    """Somebody wanted the job to stop, who need not be the one who follows it."""


#: Exit codes of a supervisor that will not do better the next time: input at fault, device taken.
_FINAL = ("2", "3")

#: How often a supervisor is started anew that gets nowhere, and in all.
_RESTARTS, _MOST_RESTARTS = 3, 12
#: How often a journal may lose its end while we follow it.
_MOST_LOSSES = 3
#: Bytes that come at once, and those that a line counts for beside its own.
_PIECE, _PER_LINE = 4 << 20, 256


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
    most: int = 1 << 30  # bytes of the journal, and some for each of its lines
    _left: int = 0

    def to_the_end(self) -> None:
        """Until the whole journal is copied. Raises `Detached` once `stop` is set."""
        self._left = self.most
        self._take(self.copy.kept())
        idle = restarts = losses = 0
        while not self.copy.ended:
            before = self.copy.size
            ending = self._kept_listening()
            if ending.differs:
                losses += 1
                if losses > _MOST_LOSSES:
                    raise self._wrong("has another journal each time that it is asked for it")
                self.say("its journal lost its end in a power cut; reading it anew")
                self.copy.set_aside()
            elif not self.copy.ended:
                idle = idle + 1 if self.copy.size == before else 1
                restarts += 1
                self._again(ending, last=idle > _RESTARTS or restarts > _MOST_RESTARTS)

    def _take(self, lines: Sequence[bytes]) -> None:
        self._left -= sum(len(line) + _PER_LINE for line in lines)
        for line in lines:
            self.hear(line)

    def _wrong(self, what: str) -> BadInput:
        name = self.link.device.name
        return BadInput(f"{name} {what}, of job {self.job}: something is wrong with it.")

    def _kept_listening(self) -> Ended:
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
                ask(self.link, Assembled, "assemble", data=b"{}")
            except Unreachable:
                if wait is None:
                    raise
            else:
                return

    def _listen(self) -> Ended:
        """How the supervisor ended; the journal is copied until then."""
        self.copy.forget_tail()
        words = ("follow", self.job, str(self.copy.size), self.copy.sha256)
        with errand(self.link, *words, seconds=math.inf, stays_open=True) as exchange:
            while (size := _size_in(head := exchange.line())) is not None:
                if max(size, self.copy.waiting) > _PIECE or size > self._left:
                    raise self._wrong("sends more than a journal can have")
                self._take(self.copy.add(exchange.exactly(size)))
                if self.copy.ended:
                    return Ended()
            if self.stop.is_set():
                raise Detached
            exchange.end()
            return answer_in(self.link, Ended, head)

    def _again(self, ending: Ended, *, last: bool) -> None:
        code, said = ending.exit, ending.said
        if ending.stopped:
            raise WasStopped(f"{self.link.device.name}: job {self.job} was stopped.")
        if code in _FINAL or last:
            why = brief(_reason(said)) or "the agent ended at once."
            raise BadInput(f"{self.link.device.name}: {why}")
        how = f"ended with code {brief(code)}" if code else "is gone (was the device rebooted?)"
        self.say(f"its agent {how}; starting it again where it was")
        self.start()


def _reason(said: str) -> str:
    """The sentence in the last line of a supervisor's log."""
    try:
        return str(json_from(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said


def _size_in(head: bytes) -> int | None:
    """Of the lines that follow; None for what is the answer. Signs of life are of no lines."""
    text = head.strip()
    return int(text) if text.isdigit() and len(text) < 16 else None
