"""Where the device keeps what is Secateur's, and writing there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Problem(Exception):  # noqa: N818 - as `BadInput`, which a device may not have
    """A sentence for the user."""


def cache() -> Path:
    """Everything that is ever written on a device lies under here."""
    named = os.environ.get("SECATEUR_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "secateur"


def size_of(path: Path) -> int:
    """-1 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def said(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def write_whole(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def refuse_full_disk(folder: Path) -> None:
    """A full disk keeps an agent from saying why it ended; raises the error that it met."""
    trial = folder / f".trial.{os.getpid()}"
    try:
        trial.write_bytes(bytes(1 << 16))
    finally:
        trial.unlink(missing_ok=True)
