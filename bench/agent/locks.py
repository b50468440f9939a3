"""One job at a time on a device, and one supervisor at a time for a job.

Both are `flock`s, which the system drops with the process that holds them, however it dies; so
there is no stale lock to remove after a crash or a power cut.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import record_from

JOB_LOCK = "lock"
#: Longer than `is_held` ever keeps a lock.
_PATIENCE = 1.0


class Busy(Exception):  # noqa: N818 - as BadInput: a sentence for people, with an exit code
    """The device, or the job, is another supervisor's; the sentence says whose."""


@dataclass(frozen=True)
class Holder:
    """Who has a lock."""

    job: str
    host: str
    since: str  # UTC, ISO 8601
    pid: int

    @classmethod
    def this_process(cls, job: str, host: str, since: str) -> Holder:
        return cls(job, host, since, os.getpid())


def cache_folder() -> Path:
    """Where the agent keeps what outlives a job."""
    named = os.environ.get("SECATEUR_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "secateur"


def device_lock() -> Path:
    return cache_folder() / "device.lock"


@contextmanager
def held(path: Path, holder: Holder, *, seconds: float = _PATIENCE) -> Iterator[None]:
    """The lock, once it is free; Busy if that takes longer than `seconds`."""
    with waited_for(path, holder, give_up=_after(seconds)):
        yield


@contextmanager
def waited_for(path: Path, holder: Holder, *, give_up: Callable[[], bool]) -> Iterator[None]:
    """The lock, once it is free; Busy as soon as `give_up` says so."""
    file = _opened(path)
    try:
        while not _taken(file, fcntl.LOCK_EX):
            if give_up():
                raise Busy(_sentence(path))
            time.sleep(0.05)
        with suppress(OSError):  # on a full disk nobody is told who has it, but it is had
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(asdict(holder)).encode(), 0)
        yield
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether somebody has the lock right now."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _taken(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def holder_of(path: Path) -> Holder | None:
    """Who has, or last had, the lock."""
    try:
        return record_from(Holder, json_from(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as problem:
        raise BadInput(
            f"{path} cannot be written ({problem.strerror}): make its folder writable, "
            "or for the device's lock set SECATEUR_CACHE to another one."
        ) from problem


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sentence(path: Path) -> str:
    holder = holder_of(path)
    if holder is None:
        return f"Another job has {path}: wait until it has ended."
    return (
        f"The device is busy: job {holder.job} of {holder.host} has been running since "
        f"{holder.since} (process {holder.pid}); wait until it has ended."
    )
