"""Recorded jobs: which there are, what is whole of their journals, and how they are played."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.agent.events import CaseStarted, JobEnded, JobStarted, Stamped, TurnStarted
from bench.agent.job import JOB_FILE, read_job
from bench.agent.journal import JOURNAL_FILE
from speech.errors import BadInput
from speech.parsed import json_from
from tui.source.jobs import Begun, Heard, Over, Recording, Tell

#: More recordings than these are not listed.
LISTED = 200
#: Bytes at the end of a journal among which its last event lies.
_END = 4096
_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
#: Seconds that are played where nobody measured: a machine that was off, or slept.
_LONGEST_GAP = 60.0


def recordings_in(data: Path) -> list[Recording]:
    """Those that hosts keep as `data/jobs/DEVICE/JOB`, the newest first."""
    journals = [
        (file.stat().st_mtime, file) for file in (data / "jobs").glob(f"*/*/{JOURNAL_FILE}")
    ]
    newest = sorted(journals, reverse=True)[:LISTED]
    found = [_recording(file) for _, file in newest]
    return sorted(found, key=lambda one: one.created, reverse=True)


def _recording(journal: Path) -> Recording:
    folder, table = journal.parent, {}
    with suppress(OSError, ValueError):
        table = json_from((folder / JOB_FILE).read_text(encoding="utf-8"))
    cases = table.get("cases") if isinstance(table, dict) else None
    created = str(table.get("created") or "") if isinstance(table, dict) else ""
    with journal.open("rb") as file:
        file.seek(max(0, journal.stat().st_size - _END))
        has_ended = b'"job_ended"' in file.read()
    count = len(cases) if isinstance(cases, list) else 0
    return Recording(folder.parent.name, folder.name, folder, created, count, has_ended)


@dataclass(frozen=True)
class Take:
    """What can be played, each event with the seconds since the one before it."""

    begun: Begun
    events: Sequence[tuple[float, Stamped]]
    ending: str  # a sentence


def read_take(place: Path) -> Take:
    """Of a job's folder or a journal. BadInput where there is nothing to play."""
    journal = place / JOURNAL_FILE if place.is_dir() else place
    try:
        lines = journal.read_bytes().splitlines(keepends=True)
    except OSError as problem:
        raise BadInput(
            f"{journal} cannot be read ({problem.strerror}): name a job's folder, or the "
            f"{JOURNAL_FILE} in it."
        ) from problem
    events, ending = _whole(lines)
    if not events:
        raise BadInput(f"{journal} cannot be played: {ending or 'it is empty.'}")
    if not ending:
        has_ended = isinstance(events[-1].event, JobEnded)
        ending = "This is its end." if has_ended else "The journal ends before its job did."
    return Take(_begun(journal.parent, events), _timed(events), ending)


def _whole(lines: Sequence[bytes]) -> tuple[list[Stamped], str]:
    """As far as they can be understood; why no farther, or nothing."""
    events: list[Stamped] = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return (
                events,
                f"Its last line, {number}, is torn: it is played as far as the one before.",
            )
        try:
            events.append(Stamped.from_json(line.decode()))
        except ValueError:
            return events, f"Line {number} is no event: it is played as far as the one before."
    return events, ""


def _begun(folder: Path, events: Sequence[Stamped]) -> Begun:
    """Without a job.json as the events have it."""
    try:
        job = read_job(folder)
    except BadInput:
        told = [stamped.event for stamped in events]
        started = (event.case for event in told if isinstance(event, CaseStarted | TurnStarted))
        name = next((event.job for event in told if isinstance(event, JobStarted)), "")
        return Begun(name, tuple(dict.fromkeys(started)))
    cases = tuple(case.id for case in job.cases)
    return Begun(job.id, cases, job.plan.min_samples, job.plan.max_samples)


def _timed(events: Sequence[Stamped]) -> list[tuple[float, Stamped]]:
    before, timed = events[0], []
    for stamped in events:
        timed.append((_gap(before, stamped), stamped))
        before = stamped
    return timed


def _gap(before: Stamped, after: Stamped) -> float:
    """The monotonic clock begins anew with each boot, which nobody wants to wait for."""
    if isinstance(after.event, JobStarted) or before.stamp.boot != after.stamp.boot:
        return 1.0
    return min(max(0.0, after.stamp.mono - before.stamp.mono), _LONGEST_GAP)


class Player:
    """Plays a recording by its own clock times a factor, in a thread."""

    def __init__(self, place: Path, tell: Tell):
        self.speed = 1.0
        self.is_paused = False
        self._take = read_take(place)
        self._tell = tell
        self._turned = threading.Condition()
        self._hurries = self._has_left = False
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        with self._turned:
            self.is_paused = not self.is_paused
            self._turned.notify()

    def faster(self) -> None:
        self._turn(1)

    def slower(self) -> None:
        self._turn(-1)

    def to_the_end(self) -> None:
        with self._turned:
            self._hurries = True
            self._turned.notify()

    def leave(self, patience: float = 0.0) -> None:
        with self._turned:
            self._has_left = True
            self._turned.notify()
        self._thread.join(patience)

    def stop(self) -> None:
        self.leave()

    def _turn(self, steps: int) -> None:
        at = _SPEEDS.index(self.speed) + steps
        with self._turned:
            self.speed = _SPEEDS[max(0, min(at, len(_SPEEDS) - 1))]
            self._turned.notify()

    def _play(self) -> None:
        self._tell(self._take.begun)
        for seconds, stamped in self._take.events:
            if not self._waited(seconds):
                self._tell(Over("left", "It is played no farther."))
                return
            self._tell(Heard(stamped))
        self._tell(Over("done", self._take.ending))

    def _waited(self, seconds: float) -> bool:
        """Whether anybody still looks on after so many seconds of the recording's time."""
        left = seconds
        with self._turned:
            while not (self._has_left or self._hurries) and (left > 0 or self.is_paused):
                since, speed, stands = time.monotonic(), self.speed, self.is_paused
                self._turned.wait(None if stands else left / speed)
                if not stands:
                    left -= (time.monotonic() - since) * speed
            return not self._has_left
