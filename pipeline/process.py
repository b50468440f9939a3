"""The `secateur` command as a process: what it prints, how it ends, and with which exit code.

0 done, 1 as the command has it, 2 the input is at fault, 70 Secateur is, 130 and 143 stopped.
"""

import os
import signal
import sys
import warnings
from contextlib import suppress
from typing import Any

import click

from pipeline import signals
from pipeline.commands import group
from pipeline.kept import what_is_kept
from runtime.terminal import shown
from speech.errors import BadInput, InputWarning
from speech.printable import printable

_BAD_INPUT = 2


def run() -> int:
    """The exit code. Whatever goes wrong is one sentence on standard error, never a traceback."""
    with shown():
        _print_input_warnings()
        try:
            code = _command()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code == 128 + signal.SIGINT and (number := signals.stopped_by()):
            code = 128 + number
        signals.leave_as_systems_do()
        return code


def _command() -> int:
    try:
        code = group.main(standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt) as stop:
        return _stopped(stop)
    except Exception as error:
        return _failed(error)


def _stopped(stop: BaseException) -> int:
    _say(f"stopped; {what_is_kept(stop)}.")
    return 128 + (signals.stopped_by() or signal.SIGINT)


def _failed(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        with suppress(OSError):
            error.show()
        return _BAD_INPUT
    if blamed := _blamed(error):
        _say(blamed)
        return _BAD_INPUT
    if signals.stopped_by():  # which some library has made its own error of
        return _stopped(error)
    from runtime.crash import INTERNAL_ERROR, sentence_about
    from speech.cache_folder import cache_folder

    _say(sentence_about(error, cache_folder))
    return INTERNAL_ERROR


def _say(sentence: str) -> None:
    with suppress(OSError):
        click.echo(printable(f"secateur: {sentence}"), err=True)


def _print_input_warnings() -> None:
    """One line each; those of libraries look as they always do."""
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, InputWarning):
            _say(str(message))
        else:
            others(message, category, *where, **more)

    warnings.showwarning = show


def _blamed(error: Exception) -> str:
    """The sentence, where somebody but us can mend it; else nothing."""
    from device_profiles.profiles import ProfileError

    if isinstance(error, BadInput | ProfileError):
        return str(error)
    if isinstance(error, MemoryError):
        told = f" ({error})" if str(error) else ""
        return f"Memory ran out{told}: end other programs, or ask for less."
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "Your home directory is unknown: set HOME to a folder that you may write to."
    return _blamed_place(error) if isinstance(error, OSError) else ""


def _blamed_place(error: OSError) -> str:
    """Nothing where the error names no file: then it is no fault of a place."""
    from runtime.whole_folder import disk_is_full

    if disk_is_full(error):
        what = f"{error.filename} was not" if error.filename else "not everything was"
        return f"The disk is full, and {what} written: make room and try again."
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return ""
    return (
        f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}): check the name, and "
        "that we may read and write there."
    )
