"""The bundles that people mean by paths: a folder of a run stands for those in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.archive import holds_bundle
from runtime.bundle import MANIFEST
from speech.errors import BadInput
from speech.readable import readable, refuse_unreachable

#: What `secateur run` leaves beside bundles, which a shell's `FOLDER/*` names as well.
BESIDE = ("results.jsonl", "report.html", "report.md", "report-pictures")


def bundles_named(paths: Sequence[Path]) -> list[Path]:
    """Each once, folders and archives; what is no bundle stays, for its opening to complain about.

    BadInput where nothing is left.
    """
    found = [path for given in paths for path in _meant(given)]
    kept = [path for path in dict.fromkeys(found) if not _is_beside(path)]
    if not kept:
        names = ", ".join(map(str, paths[:3]))
        raise BadInput(f"There is no bundle in {names}: `secateur run RECIPE` makes bundles.")
    return kept


def _meant(path: Path) -> list[Path]:
    """The path itself, or the bundles right below it."""
    refuse_unreachable(path)
    if holds_bundle(path) or not path.is_dir():
        return [path]
    with readable(path):
        below = [place for place in sorted(path.iterdir()) if (place / MANIFEST).is_file()]
    return [place for place in below if not place.name.startswith(".")] or [path]


def _is_beside(path: Path) -> bool:
    return path.name in BESIDE and not (path / MANIFEST).is_file() and path.exists()
