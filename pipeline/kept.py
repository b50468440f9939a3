"""What is kept of a command that was stopped: a sentence for whoever stopped it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def saying_what_is_kept(kept: Callable[[], str]) -> Iterator[None]:
    """Within it, a Ctrl-C takes along the end of the sentence that the command then prints."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(kept())
        raise


def what_is_kept(stop: BaseException) -> str:
    """The end of the sentence, of a Ctrl-C or of what was made of one."""
    notes = getattr(stop, "__notes__", []) or getattr(stop.__cause__, "__notes__", [])
    return notes[0] if notes else "what was finished is kept"


def of_fine_tuning(files: Iterable[Path]) -> str:
    """The part on its state, which is in these files if they are there; else nothing."""
    there = [path for path in files if path.is_file()]
    if not there:
        return ""
    newest = max(there, key=lambda path: path.stat().st_mtime)
    age = max(0.0, time.time() - newest.stat().st_mtime)
    return f"the state of the fine-tuning {age:.0f} s ago is kept in {newest.parent}"
