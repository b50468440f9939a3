"""How long this process stood in line for a processor: time that others took, not the model.

Samples may agree with each other and all be too long, if something else runs all the while.
"""

from __future__ import annotations

from pathlib import Path

_TASKS = Path("/proc/self/task")


def queued_seconds() -> float | None:
    """Of all its threads together, so far; None where the kernel does not count it."""
    told = [queued_in(_text(task / "schedstat")) for task in _tasks()]
    known = [seconds for seconds in told if seconds is not None]
    return sum(known) if known else None


def queued_in(schedstat: str) -> float | None:
    """From a thread's schedstat: nanoseconds on a processor, in line for one, and slices."""
    fields = schedstat.split()
    return int(fields[1]) / 1e9 if len(fields) == 3 and fields[1].isdigit() else None


def _tasks() -> list[Path]:
    try:
        return list(_TASKS.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    """Nothing for a thread that has just ended."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
