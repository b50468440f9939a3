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
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TypeVar

from bench.remote.answers import Assembled, Received, answer_in
from bench.remote.connection import Link
from bench.remote.exchange import QUICK, Exchange
from bench.remote.refusals import Unreachable
from speech.errors import BadInput
from speech.records import shortened

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
#: Seconds to write what has arrived to a memory card, bytes a second of a bad network, and files
#: that a slow card can be given in a second.
_TO_WRITE, _SLOWEST, _LINKED = 120.0, 20_000, 20
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


def ask(
    link: Link,
    kind: type[Answer],
    name: str,
    *words: str,
    data: bytes | Iterable[bytes] = b"",
    seconds: float = QUICK,
) -> Answer:
    """The answer to an errand; raises BadInput with what the device has to say against it."""
    pieces = [data] if isinstance(data, bytes) else data
    with errand(link, name, *words, data=pieces, seconds=seconds) as exchange:
        said = exchange.rest()
        exchange.end()
    return answer_in(link, kind, said)


def errand(
    link: Link,
    name: str,
    *words: str,
    data: Iterable[bytes] = (),
    seconds: float = QUICK,
    stays_open: bool = False,
) -> AbstractContextManager[Exchange]:
    """An errand under way, which is sent to the device with its data."""
    script = _script()
    call = ["python3", "-IS", "-c", _BOOTSTRAP, str(len(script)), name, *words]
    return exchanged(link, call, chain([script], data), seconds=seconds, stays_open=stays_open)


@contextmanager
def exchanged(
    link: Link,
    call: Sequence[str],
    data: Iterable[bytes],
    *,
    seconds: float = QUICK,
    stays_open: bool = False,
) -> Iterator[Exchange]:
    """A program on the device, to be fed and read; it is ended whatever happens here."""
    with tempfile.TemporaryFile() as errors:
        process = link.open(call, errors)
        try:
            yield Exchange(link, process, errors, data, seconds=seconds, stays_open=stays_open)
        finally:
            _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin and process.stdout
    with suppress(OSError):
        process.stdin.close()
    if process.poll() is None:
        process.terminate()
    with suppress(OSError):
        process.stdout.close()
    process.wait()


@cache
def _script() -> bytes:
    """The parts with their names: the bare python3 there has no folder to import them from."""
    there = Path(__file__).parent / "there"
    parts = [(f"{_THERE}.{part}", (there / f"{part}.py").read_text()) for part in _PARTS]
    return json.dumps(parts).encode()


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
    seconds = QUICK + len(parcels) / _LINKED
    for tries_left in reversed(range(_TRIES + 1)):
        answer = ask(link, Assembled, "assemble", data=json.dumps(data).encode(), seconds=seconds)
        _refuse_others(link, answer, wanted, parcels)
        if not answer.missing:
            return dict(answer.folders)
        missing = [parcels[sha] for sha in answer.missing]
        if tries_left:
            _send(link, missing, answer.missing, report, label)
    damaged = min(str(parcel.source) for parcel in missing)
    raise BadInput(
        f"{damaged} arrived damaged on {link.device.name} {_TRIES} times: its disk or memory card "
        "may be failing; check it."
    )


def _refuse_others(
    link: Link, answer: Assembled, wanted: Iterable[str], parcels: Mapping[str, Parcel]
) -> None:
    """A device has a say in where things are, not in what is sent."""
    strange = [
        *(set(answer.folders) ^ set(wanted)),
        *(sha for sha, size in answer.missing.items()
          if sha not in parcels or size > parcels[sha].size),
    ]  # fmt: skip
    if strange:
        raise BadInput(
            f"{link.device.name} answers about {shortened(strange[0])}, for which it was not "
            "asked: something is wrong with it; `secateur device clean` may help."
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

    seconds = _TO_WRITE + total / _SLOWEST
    ask(link, Received, "receive", data=stream(), seconds=seconds)


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
