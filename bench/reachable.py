"""Bundles that lie on this machine just as they were measured."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from runtime.bundle import Bundle
from speech.errors import BadInput
from speech.readable import readable


def reachable_bundles(places: Iterable[tuple[Path, str | None]]) -> dict[str, Bundle]:
    """By hash, from the folders that results name and the hashes that the bundles had there.

    A bundle that has changed since is another one.
    """
    found: dict[str, Bundle] = {}
    for folder, sha256 in dict.fromkeys(places):
        if sha256 and sha256 not in found:
            with suppress(BadInput, OSError):
                bundle = Bundle.open(folder, on_device=True)
                if bundle.sha256 == sha256:
                    found[sha256] = bundle
    return found


def bundles_in(folder: Path) -> dict[str, Bundle]:
    """By hash: the folder itself, or the bundles right below it."""
    with readable(folder):
        if not folder.is_dir():
            raise BadInput(f"There is no folder {folder} to look for bundles in.")
        places = (folder, *sorted(folder.iterdir()))
    found = {}
    for place in places:
        with suppress(BadInput, OSError):
            bundle = Bundle.open(place, on_device=True)
            found[bundle.sha256] = bundle
    return found
