"""What nobody foresaw: one sentence for the user, and the traceback in a file."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: The exit code of a fault of ours, as sysexits.h has it.
INTERNAL_ERROR = 70

#: Set to anything but nothing, it has the traceback printed on standard error instead of saved.
SHOW_TRACEBACK = "SECATEUR_TRACEBACK"

#: Tracebacks that are kept.
_KEPT = 20


def sentence_about(error: BaseException, cache: Callable[[], Path]) -> str:
    """Names the file with the traceback: in the cache, or else where temporary files are."""
    told = traceback.format_exception_only(error)[-1].strip().splitlines()
    what = f"{told[0] if told else type(error).__name__}".rstrip(".")
    text = "".join(traceback.format_exception(error))
    if os.environ.get(SHOW_TRACEBACK):
        sys.stderr.write(text)
        return f"This is a fault of Secateur's own ({what}): please report it."
    file = _saved(_heading() + text, cache)
    where = f"with {file}" if file else f"with what {SHOW_TRACEBACK}=1 makes it print"
    return f"This is a fault of Secateur's own ({what}): please report it, {where}."


def _heading() -> str:
    words = " ".join(map(repr, sys.argv))
    return f"{words}\nPython {platform.python_version()}, {platform.platform()}\n\n"


def _saved(text: str, cache: Callable[[], Path]) -> Path | None:
    name = time.strftime(f"%Y-%m-%dT%H-%M-%S-{os.getpid()}.txt", time.gmtime())
    for place in (lambda: cache() / "tracebacks", _new_folder):
        with suppress(OSError, RuntimeError):  # the latter of a user who has no home
            folder = place()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            for old in sorted(folder.glob("*.txt"))[:-_KEPT]:
                old.unlink(missing_ok=True)
            return folder / name
    return None


def _new_folder() -> Path:
    """Where others write, too, and may have put anything under a name that they can guess."""
    return Path(tempfile.mkdtemp(prefix="secateur-traceback-"))
