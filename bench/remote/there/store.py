"""Files are sent once: each lies in the store under its SHA-256, and folders are links to them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.remote.there.places import Problem, cache, size_of

PIECE = 1 << 20


def stored(sha256: str) -> Path:
    return cache() / "store" / sha256


def part(sha256: str) -> Path:
    return cache() / "store" / f"{sha256}.part"


def receive() -> dict[str, Any]:
    """Data: for each file a line of JSON (sha256, size, offset) and the bytes from there on.

    What arrived before a connection broke stays and is gone on with. Two hosts may send one file at
    once: they write the same bytes to the same places.
    """
    (cache() / "store").mkdir(parents=True, exist_ok=True)
    states = {}
    while line := sys.stdin.buffer.readline():
        header = json.loads(line)
        states[header["sha256"]] = received(header["sha256"], header["size"], header["offset"])
    return {"states": states}


def received(sha256: str, size: int, offset: int) -> str:
    """`whole`, `short` (the connection broke) or `corrupted` (thrown away, to be sent again)."""
    handle = os.open(part(sha256), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        begun = file.seek(0, os.SEEK_END) >= offset
        file.seek(offset)
        left = size - offset
        while left and (piece := sys.stdin.buffer.read(min(PIECE, left))):
            if begun:
                file.write(piece)
            left -= len(piece)
        file.flush()
        os.fsync(file.fileno())
        if left:
            return "short"
        file.seek(0)
        good = begun and hashlib.file_digest(file, "sha256").hexdigest() == sha256
    if not good:
        part(sha256).unlink(missing_ok=True)
        return "corrupted"
    part(sha256).chmod(0o444)
    with suppress(FileNotFoundError):  # another host has sent the same
        part(sha256).rename(stored(sha256))
    return "whole" if stored(sha256).exists() else "corrupted"


def assemble() -> dict[str, Any]:
    """Data: {folder: {path: [sha256, size]}}. Folders of links, each as a whole or not at all.

    Where stored files are missing, answers which, and how many bytes of them have arrived.
    """
    folders: dict[str, dict[str, tuple[str, int]]] = json.load(sys.stdin.buffer)
    missing: dict[str, int] = {}
    for name, files in folders.items():
        if (cache() / name).is_dir():
            continue
        absent = {sha: size for sha, size in files.values() if size_of(stored(sha)) != size}
        if not absent:
            link_all({path: sha for path, (sha, _) in files.items()}, cache() / name)
        missing |= {sha: max(0, min(size_of(part(sha)), size)) for sha, size in absent.items()}
    return {"missing": missing, "folders": {name: str(cache() / name) for name in folders}}


def link_all(files: dict[str, str], folder: Path) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        for path, sha256 in files.items():
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise Problem(f"{path!r} would lie outside of {folder}.")
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            link(stored(sha256), beside / path)
        with suppress(OSError):  # another host was faster
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def link(source: Path, path: Path) -> None:
    """A copy where the file system has no hard links."""
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, path)
