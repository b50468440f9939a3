"""Asks a device for errands (`there/errand.py`) and brings it files, each of them once.

A call that the connection does not survive raises `Unreachable`; `kept_up` tries such work again
until the user's patience ends. Every errand can be asked for twice.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event
from typing import IO, Any, TypeVar

from bench.remote.connection import Link
from bench.remote.refusals import Unreachable
from speech.errors import BadInput

Answer = TypeVar("Answer")


class Detached(Exception):  # noqa: N818 - no error: the user wanted it
    """Nobody looks on any more; what was started goes on."""


#: Is told a label, bytes done and bytes in all.
Report = Callable[[str, int, int], None]

#: What an errand consists of, in the order of their imports.
_PARTS = ("places", "store", "environment", "jobs", "room", "errand")
_THERE = "bench.remote.there"
_BOOTSTRAP = f"""
import json, sys, types
for name, text in json.loads(sys.stdin.buffer.read(int(sys.argv[1]))):
    sys.modules[name] = module = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["{_THERE}.errand"].main(*sys.argv[2:])
"""
_PIECE = 1 << 18
#: How often a file is sent anew that arrives damaged, before the device's disk is blamed.
_TRIES = 3


@dataclass(frozen=True)
class Parcel:
    """Bytes on their way to the device's store, known by their SHA-256."""

    sha256: str
    size: int
    source: Path

    @classmethod
    def of(cls, path: Path) -> Parcel:
        with path.open("rb") as file:
            return cls(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size, path)


@dataclass(frozen=True)
class Folder:
    """What is to be a folder in the device's cache; its name comes from its content."""

    name: str
    files: Mapping[str, Parcel]

    @classmethod
    def of(cls, kind: str, files: Mapping[str, Path]) -> Folder:
        parcels = {path: Parcel.of(file) for path, file in files.items()}
        told = [f"{path} {parcel.sha256}" for path, parcel in parcels.items()]
        return cls(f"{kind}-{digest(told)}", parcels)


def digest(lines: Iterable[str]) -> str:
    """Enough of a SHA-256 to tell one from another."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Patience:
    """Seconds: how long a device may be away, and the waits between tries, which double."""

    most: float = 900.0
    first: float = 0.5
    longest: float = 30.0

    def waits(self) -> Iterator[float]:
        """Until the time is over. Somewhat random, so that many hosts do not knock together."""
        end, wait = time.monotonic() + self.most, self.first
        while (left := end - time.monotonic()) > 0:
            yield min(wait * random.uniform(0.75, 1.25), left)
            wait = min(2 * wait, self.longest)


def ask(link: Link, name: str, *words: str, data: bytes | Iterable[bytes] = b"") -> Any:
    """The answer to an errand; raises BadInput with what the device has to say against it."""
    pieces = [data] if isinstance(data, bytes) else data
    with tempfile.TemporaryFile() as errors, errand(link, name, *words, errors=errors) as process:
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError):  # it ended early: why is in its answer
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.close()
        said = process.stdout.read()
        check_end(link, process, errors)
    return answer_in(link, said)


@contextmanager
def errand(
    link: Link, name: str, *words: str, errors: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """An errand under way, to be fed and read; it is ended whatever happens here."""
    script = _script()
    process = link.open(
        ["python3", "-IS", "-c", _BOOTSTRAP, str(len(script)), name, *words], errors
    )
    assert process.stdin and process.stdout
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(script)
            process.stdin.flush()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()
        process.wait()


@cache
def _script() -> bytes:
    """The parts with their names: the bare python3 there has no folder to import them from."""
    there = Path(__file__).parent / "there"
    parts = [(f"{_THERE}.{part}", (there / f"{part}.py").read_text()) for part in _PARTS]
    return json.dumps(parts).encode()


def check_end(link: Link, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """Waits for an errand that has said all; raises the reason if it ended badly."""
    code = process.wait()
    if code:
        errors.seek(0)
        raise link.explain("python3", code, errors.read().decode("utf-8", "replace"))


def answer_in(link: Link, said: bytes) -> Any:
    try:
        answer = json.loads(said)
    except ValueError as error:
        raise Unreachable(f"The connection to {link.device.name} broke in a reply.") from error
    if problem := answer.get("problem"):
        raise BadInput(f"{link.device.name}: {problem}")
    return answer


def kept_up(
    work: Callable[[], Answer],
    link: Link,
    patience: Patience,
    stop: Event,
    say: Callable[[str], None] = lambda line: None,
) -> Answer:
    """Do the work, and do it again for as long as only the connection is what fails.

    Raises `Detached` once `stop` is set.
    """
    waits = patience.waits()
    while True:
        try:
            return work()
        except BadInput as error:
            if stop.is_set():
                raise Detached from error
            wait = next(waits, None)
            if wait is None or not isinstance(error, Unreachable):
                raise
            say(f"{error} Trying again …")
            link.drop()
            if stop.wait(wait):
                raise Detached from error


def place(
    link: Link, folders: Iterable[Folder], report: Report, label: str = "sending"
) -> dict[str, str]:
    """Folders on the device, by name; of their files is sent what it does not have yet.

    Each file goes on from where an earlier try ended.
    """
    wanted = {folder.name: folder.files for folder in folders}
    parcels = {parcel.sha256: parcel for files in wanted.values() for parcel in files.values()}
    data = {
        name: {path: (parcel.sha256, parcel.size) for path, parcel in files.items()}
        for name, files in wanted.items()
    }
    for tries_left in reversed(range(_TRIES + 1)):
        answer = ask(link, "assemble", data=json.dumps(data).encode())
        if not answer["missing"]:
            places: dict[str, str] = answer["folders"]
            return places
        if tries_left:
            missing = [parcels[sha] for sha in answer["missing"]]
            _send(link, missing, answer["missing"], report, label)
    damaged = min(str(parcels[sha].source) for sha in answer["missing"])
    raise BadInput(
        f"{damaged} arrived damaged on {link.device.name} {_TRIES} times: its disk or memory card "
        "may be failing; check it."
    )


def _send(
    link: Link, parcels: Sequence[Parcel], begun: Mapping[str, int], report: Report, label: str
) -> None:
    total = sum(parcel.size for parcel in parcels)

    def stream() -> Iterator[bytes]:
        done = 0
        for parcel in parcels:
            offset = begun.get(parcel.sha256, 0)
            done += offset
            head = {"sha256": parcel.sha256, "size": parcel.size, "offset": offset}
            yield json.dumps(head).encode() + b"\n"
            for piece in _pieces(parcel, offset):
                yield piece
                done += len(piece)
                report(label, done, total)

    ask(link, "receive", data=stream())


def _pieces(parcel: Parcel, offset: int) -> Iterator[bytes]:
    """Exactly as many bytes as were announced, or the rest would be taken for something else."""
    with parcel.source.open("rb") as file:
        file.seek(offset)
        left = parcel.size - offset
        while left:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise BadInput(f"{parcel.source} became shorter while it was being sent.")
            left -= len(piece)
            yield piece
