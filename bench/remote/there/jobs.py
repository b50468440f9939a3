"""Jobs: a supervisor that outlives the connection, and its journal read from any byte on."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bench.remote.there.environment import READY
from bench.remote.there.places import (
    Problem,
    cache,
    refuse_full_disk,
    said,
    size_of,
    write_whole,
)

PIECE = 4 << 20
LOOK_EVERY = 0.25  # seconds between looks at a journal that has not grown
SIGN_EVERY = 5.0  # seconds between signs of life while there is nothing to send
#: The file that says that somebody wanted a job to stop, until it is started again.
STOPPED = "stopped"
TO_END = 5.0  # seconds that a supervisor gets to end by itself, and then to be gone


def job_folder(job: str) -> Path:
    return cache() / "jobs" / job


def start(job: str, python: str, code: str) -> dict[str, Any]:
    """Data: job.json, or nothing where it is here already. Starts a supervisor unless one runs."""
    folder = job_folder(job)
    text = sys.stdin.buffer.read()
    if text and not (folder / "job.json").exists():
        json.loads(text)  # raises for what a broken connection cut short
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "job.json", text.decode())
    if not (folder / "job.json").exists():
        raise Problem(f"there is no job {job} on the device.")
    with (folder / "running").open("a") as lock:
        if not any(locked(lock) for _ in patiently()):
            return {"started": False}
        for mark in ("exit", STOPPED):
            (folder / mark).unlink(missing_ok=True)
        launch(folder, python, code, lock.fileno())
    return {"started": True}


def launch(folder: Path, python: str, code: str, lock: int) -> None:
    """In a session of its own, deaf to a hang-up. The lock goes along and ends with it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    compiled = {"PYTHONDONTWRITEBYTECODE": "1"} if (Path(code) / READY).exists() else {}
    shell = '"$@" >>"$0/supervisor.log" 2>&1; echo $? >"$0/exit"'
    supervisor = [python, "-m", "bench.agent", "run", str(folder)]
    subprocess.Popen(
        ["/bin/sh", "-c", shell, str(folder), *supervisor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=code,
        env={**os.environ, "PYTHONPATH": code, "PYTHONNOUSERSITE": "1", **compiled},
        start_new_session=True,
        pass_fds=[lock],
    )


def patiently() -> Iterator[None]:
    """Some tries within a second: whoever asks whether a job runs holds its lock for a moment."""
    for _ in range(5):
        yield
        time.sleep(0.2)


def locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def stop(job: str) -> dict[str, Any]:
    """Ends its supervisor, if one runs, until the job is started again."""
    folder, begun = job_folder(job), time.monotonic()
    if not runs(folder):
        return {"stopped": False}
    while runs(folder):
        write_whole(folder / STOPPED, "")  # each time: whoever starts it right now takes it away
        waited = time.monotonic() - begun
        if waited > 2 * TO_END:
            raise Problem(f"job {job} does not stop there: restart the device.")
        end(folder, signal.SIGTERM if waited < TO_END else signal.SIGKILL)
        time.sleep(LOOK_EVERY)
    return {"stopped": True}


def end(folder: Path, number: int) -> None:
    """The supervisor, whom its lock names while it has it; what it has begun ends with it."""
    with (folder / "lock").open("a") as lock:
        if locked(lock):
            return  # it has only just begun, or just ended: the number may be another process's
    with contextlib.suppress(ValueError, KeyError, ProcessLookupError):
        os.kill(int(json.loads(said(folder / "lock"))["pid"]), number)


def runs(folder: Path) -> bool:
    """Whether a supervisor of this job lives; a reboot ends it and its lock alike."""
    try:
        with (folder / "running").open("r") as lock:
            return not locked(lock)
    except FileNotFoundError:
        return False


def jobs() -> dict[str, Any]:
    """Every job here, the newest last."""
    found = []
    for file in cache().glob("jobs/*/job.json"):
        try:
            job = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            continue  # a damaged one is told of where it is wanted, and keeps nobody from others
        told = {key: job.get(key) for key in ("id", "created", "host")} if is_job(job) else {}
        if not told:
            continue
        found.append({**told, "running": runs(file.parent), "ended": has_ended(file.parent)})
    return {"jobs": sorted(found, key=lambda job: str(job["created"]))}


def is_job(job: Any) -> bool:
    return isinstance(job, dict) and all(
        isinstance(job.get(key), str) for key in ("id", "created", "host")
    )


def has_ended(folder: Path) -> bool:
    return '"job_ended"' in tail(folder / "journal.jsonl")


def describe(job: str) -> dict[str, Any]:
    """The job as the host wrote it, for a host that did not."""
    try:
        return {"job": json.loads((job_folder(job) / "job.json").read_text(encoding="utf-8"))}
    except FileNotFoundError as error:
        raise Problem(f"there is no job {job} on the device.") from error
    except ValueError as error:
        raise Problem(f"{job_folder(job)}/job.json is damaged: delete that folder.") from error


def follow(job: str, offset: str, sha256: str) -> dict[str, Any]:
    """The journal from a byte on, until its supervisor has ended; the answer comes last.

    `sha256` is that of the bytes before, which the host has: if they are not the same (a power cut
    can take back what had not reached the disk), nothing is sent and `differs` says so.
    """
    folder = job_folder(job)
    journal = folder / "journal.jsonl"
    sent = int(offset)
    if sent and head_hash(journal, sent) != sha256:
        return {"differs": True}
    shown = time.monotonic()
    while True:
        lives = runs(folder)  # asked before reading, so that nothing written since is missed
        while lines := whole_lines(read_from(journal, sent)):
            sys.stdout.buffer.write(b"%d\n" % len(lines) + lines)
            sys.stdout.buffer.flush()
            sent += len(lines)
            shown = time.monotonic()
        if not lives:
            refuse_full_disk(folder)
            return {
                "exit": said(folder / "exit"),
                "said": tail(folder / "supervisor.log"),
                "stopped": (folder / STOPPED).exists(),
            }
        if host_has_gone():
            sys.exit(1)
        if time.monotonic() > shown + SIGN_EVERY:
            sys.stdout.buffer.write(b"0\n")
            sys.stdout.buffer.flush()
            shown = time.monotonic()
        time.sleep(LOOK_EVERY)


def host_has_gone() -> bool:
    readable, _, _ = select.select([sys.stdin.buffer], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def head_hash(path: Path, size: int) -> str:
    data = path.read_bytes()[:size] if path.exists() else b""
    return hashlib.sha256(data).hexdigest()


def whole_lines(data: bytes) -> bytes:
    """Without a line that is still being written, or torn and soon cut off."""
    return data[: data.rfind(b"\n") + 1]


def read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(PIECE)
    except FileNotFoundError:
        return b""


def tail(path: Path) -> str:
    """The last line."""
    lines = read_from(path, max(0, size_of(path) - 4096)).splitlines()
    return lines[-1].decode("utf-8", "replace") if lines else ""
