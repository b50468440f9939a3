"""A folder that somebody names for what was measured: the results are in a file of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speech.errors import BadInput
from speech.readable import readable, refuse_unreachable

#: What a run and a store are called, the first that is there wins.
RESULTS = ("results.jsonl", "results.sqlite")


def results_in(path: Path, names: Sequence[str] = RESULTS) -> Path:
    """The file to read: of a folder the first of these names; any other path stays as it is."""
    refuse_unreachable(path)
    if not path.is_dir():
        return path
    with readable(path):
        there = [path / name for name in names if (path / name).is_file()]
    if not there:
        raise BadInput(
            f"{path} has neither a {' nor a '.join(names)}: name the folder of a run, or a file."
        )
    return there[0]
