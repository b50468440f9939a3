"""Which source a path means, checked before anything is drawn."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from textual.constants import DRIVER

from bench.sources import STORE_SUFFIX
from bench.store.connection import is_store
from bench.store.summaries import Summaries
from speech.errors import BadInput
from tui.app import SecateurApp
from tui.remembered import remembered_file
from tui.source.filed import FileSource
from tui.source.records import Source
from tui.source.stored import PATIENCE, StoredSource


def source_of(path: Path, sensitivities: Sequence[Path] = ()) -> Source:
    """BadInput for what is neither a store nor a results file, or is of a newer version."""
    if not is_store(path) and path.suffix != STORE_SUFFIX:
        return FileSource(path, sensitivities=sensitivities)
    with Summaries.at(path, patience=PATIENCE):
        return StoredSource(path, sensitivities=sensitivities)


def run(path: Path, sensitivities: Sequence[Path] = ()) -> None:
    """Shows it until the user quits; raises what has ended it otherwise."""
    source = source_of(path, sensitivities)
    _refuse_no_terminal()
    try:
        memory, complaint = remembered_file(), ""
    except BadInput as problem:
        memory, complaint = None, f"{problem} Until then nothing is remembered."
    app = SecateurApp(source, memory)
    app.complaint = app.complaint or complaint
    with _left_in_order(app):
        app.run()
    if app.fault:
        raise app.fault


@contextmanager
def _left_in_order(app: SecateurApp) -> Iterator[None]:
    """A signal ends the app as its key does; whoever runs it hears of the signal afterwards."""
    came: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the app has not begun, or has ended
            signal.signal(number, before[number])
            signal.raise_signal(number)
            return
        came.append(number)
        loop.call_soon_threadsafe(lambda: loop.create_task(app.action_quit()))

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heeded = [one for one in numbers if signal.getsignal(one) != signal.SIG_IGN]
    before = {int(number): signal.signal(number, leave) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _refuse_no_terminal() -> None:
    """The app reads keys from standard input and draws on standard error.

    Without them it would wait for ever. In a browser a driver of Textual's own stands for both.
    """
    if DRIVER is not None:
        return
    for name, stream in (("input", sys.__stdin__), ("error", sys.__stderr__)):
        if stream is None or not stream.isatty():
            raise BadInput(
                f"Standard {name} is no terminal, and the app needs one to be seen and typed into: "
                "call it in a terminal, or print the table with `secateur results`."
            )
