"""Which source a path means, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.sources import STORE_SUFFIX
from bench.store.connection import is_store
from bench.store.summaries import Summaries
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
    """Shows it until the user quits."""
    SecateurApp(source_of(path, sensitivities), remembered_file()).run()
