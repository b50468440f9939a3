"""Writing what a bundle says about itself, once all its other files are there."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.bundle import MANIFEST, Bundle, BundleFile, Manifest


def write_manifest(manifest: Manifest, folder: Path) -> Bundle:
    """Write it with the size and hash of every file that is in the folder."""
    files = tuple(BundleFile.of(folder, path) for path in _files(folder))
    write_json(dataclasses.replace(manifest, files=files).to_json(), folder / MANIFEST)
    return Bundle.open(folder)


def write_json(data: Mapping[str, Any], path: Path) -> None:
    """JSON that every reader takes: no NaN."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if path.as_posix() != MANIFEST)
