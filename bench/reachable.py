"""Bundles that lie on this machine just as they were measured."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from runtime.bundle import MANIFEST, Bundle
from speech.errors import BadInput


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
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder} to look for bundles in.")
    found = {}
    for manifest in (folder / MANIFEST, *sorted(folder.glob(f"*/{MANIFEST}"))):
        with suppress(BadInput, OSError):
            bundle = Bundle.open(manifest.parent, on_device=True)
            found[bundle.sha256] = bundle
    return found
