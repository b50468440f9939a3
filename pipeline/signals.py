"""Ctrl-C, `kill` and the end of a terminal: what a command has begun is left in order."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

#: All three come as a KeyboardInterrupt, so that there is one way out.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_stopped_by: list[int] = []


def leave_at_once() -> None:
    """As long as nothing was begun: libraries answer an interrupt amid their import with tracebacks
    of their own, or not at all.
    """
    _handle(_leave)


def leave_in_order() -> None:
    """From here on temporary folders are removed and processes ended before this one ends."""
    _handle(_stop)
    sys.unraisablehook = _raise_later


def leave_as_systems_do() -> None:
    """When all is in order again: nothing is left that Python could complain of."""
    for number in _ENDING:
        if signal.getsignal(number) in (_leave, _stop):
            signal.signal(number, signal.SIG_DFL)


def stopped_by() -> int | None:
    """The signal that ends this process, as soon as there was one."""
    return _stopped_by[0] if _stopped_by else None


def _handle(how: Callable[[int, FrameType | None], None]) -> None:
    """What was ignored stays so, as `nohup` and a shell's `&` have it."""
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, how)


def _leave(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"secateur: stopped; nothing was begun.\n")
    finally:
        os._exit(128 + number)


def _raise_later(unraisable: "sys.UnraisableHookArgs") -> None:
    """Where Python cannot raise, as amid what it does for a garbage collector, it would be lost."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)


def _stop(number: int, frame: FrameType | None) -> None:
    if not _stopped_by:
        _stopped_by.append(number)
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)  # whoever asks twice does not want to wait
    raise KeyboardInterrupt
