"""A folder on its way to a machine that does not have it."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from runtime.whole_folder import full_disk_is_bad_input, written_whole
from speech.errors import BadInput

#: Bytes of files that travel together, unless a single one is larger.
_BOX = 64 << 20

#: Files by their path in the folder (with /).
Box = Mapping[str, bytes]


@dataclass(frozen=True)
class Parcel:
    """What a folder holds, in boxes that lie somewhere on the way."""

    #: Of paths and bytes, in hex.
    digest: str
    #: What the folder is called at home; bundles and splits of corpora may go by it.
    name: str
    boxes: tuple[Any, ...]


def packed(folder: Path, leave: Callable[[Box], Any]) -> Parcel:
    """`leave` puts a box where it can be got, and says how to ask for it."""
    sha, boxes = hashlib.sha256(), []
    for box in _boxes(folder):
        for path, content in box.items():
            sha.update(f"{path}\0{len(content)}\0".encode() + content)
        boxes.append(leave(box))
    return Parcel(sha.hexdigest(), folder.name, tuple(boxes))


def _boxes(folder: Path) -> Iterator[Box]:
    box: dict[str, bytes] = {}
    for path in _files(folder):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"{path} cannot be read and so not be sent to the nodes: {error.strerror}."
            ) from error
        if box and sum(map(len, box.values())) + len(content) > _BOX:
            yield box
            box = {}
        box[path.relative_to(folder).as_posix()] = content
    if box:
        yield box


def _files(folder: Path) -> list[Path]:
    walk = os.walk(folder, followlinks=True)
    return sorted(Path(place) / name for place, _, names in walk for name in names)


def unpacked(parcel: Parcel, into: Path, fetch: Callable[[Any], Box]) -> Path:
    """Where the folder is on this machine: written by whoever comes first, whole or not at all."""
    folder = into / parcel.digest[:16] / parcel.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        if not folder.exists():
            with full_disk_is_bad_input(str(folder)), written_whole(folder) as place:
                _write(map(fetch, parcel.boxes), place)
    return folder


def _write(boxes: Iterable[Box], place: Path) -> None:
    for box in boxes:
        for name, content in box.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
