"""Room on the device's disk: what was sent there can be sent again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.remote.there.jobs import has_ended, runs
from bench.remote.there.places import Problem, cache

#: Folders of what was sent, and of the agent itself.
SENT, AGENT = ("bundle-*", "clips-*"), ("env-*", "code-*", "wheels-*")


def clean(what: str) -> dict[str, Any]:
    """Deletes what was `sent`, but for jobs that have not ended, or `all`, the agent too.

    Journals stay: somebody may not have copied them yet.
    """
    folders = [file.parent for file in cache().glob("jobs/*/job.json")]
    if running := [folder.name for folder in folders if runs(folder)]:
        raise Problem(f"job {running[0]} runs there: wait until it has ended, or stop it.")
    open_jobs = [folder for folder in folders if not has_ended(folder)]
    wanted = [(folder / "job.json").read_text(encoding="utf-8") for folder in open_jobs]
    freed, kept = 0, 0
    for folder in matching(*SENT, *(AGENT if what == "all" else ())):
        if any(f"/{folder.name}/" in job or f'/{folder.name}"' in job for job in wanted):
            kept += 1
        else:
            freed += emptied(folder)
    for file in matching("store/*"):
        if file.stat().st_nlink == 1:
            freed += file.stat().st_size
            file.unlink(missing_ok=True)
    return {"freed_bytes": freed, "kept_folders": kept, "open_jobs": [f.name for f in open_jobs]}


def is_lock(path: Path) -> bool:
    """Of an environment that is being made, beside its folder."""
    return path.suffix == ".lock"


def emptied(folder: Path) -> int:
    """How many bytes that frees; another host may be doing the same."""
    size = alone_in(folder)
    with contextlib.suppress(FileNotFoundError):
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
    return size


def matching(*patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in cache().glob(pattern) if not is_lock(path))


def alone_in(folder: Path) -> int:
    """Bytes of files that are nowhere else, as the store's are."""
    found = [path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(stat.st_size for stat in found if stat.st_nlink == 1)
