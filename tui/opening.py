"""Which source a path means, checked before anything is drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

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
    app = SecateurApp(source, remembered_file())
    app.run()
    if app.fault:
        raise app.fault


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
