"""Checkpoints as small files for other people's PyTorch, and the way back to the model.

A packed checkpoint is the folder that transformers wrote with another file for its weights: a
bitmask says where they are zero, and only the others follow. `open_checkpoint` opens it like any
other; for `from_pretrained` it has to be loaded and saved again.
"""

import dataclasses
import shutil
from pathlib import Path

from prune.checkpoint import Checkpoint, is_checkpoint, open_checkpoint
from prune.packed_weights import PACKED_WEIGHTS, PLAIN_WEIGHTS, is_packed
from runtime.archive import Report, holds_bundle, opened
from runtime.bundle import HOST_ONLY
from runtime.packed.reader import PackedFile
from runtime.packed.rounded import Values, write_rounded
from runtime.packed.writer import Packed, write_packed
from runtime.whole_folder import full_disk_is_bad_input, refuse_taken, written_whole
from speech.errors import BadInput


def pack_checkpoint(
    source: Path, folder: Path, *, values: Values = "fp32", zstd: int | None = None
) -> Packed:
    """Write the checkpoint in `source` to `folder` with its weights packed.

    In fp32 no bit is lost; fp16 and int8 round each weight once. The other files are copied.
    """
    _refuse_unpackable(source)
    refuse_taken(folder)
    if folder.resolve().is_relative_to(source.resolve()):
        raise BadInput(f"{folder} would lie in the checkpoint itself: choose another place.")
    with full_disk_is_bad_input(str(folder)), written_whole(folder) as place:
        _copy_all_but_weights(source, place)
        weights = dict(PackedFile.open(source / PLAIN_WEIGHTS).items())
        return write_rounded(place / PACKED_WEIGHTS, weights, values, zstd=zstd)


def replace_weights(folder: Path, *, zstd: int | None = None) -> None:
    """Pack those of a checkpoint's folder in fp32; the caller writes beside and renames."""
    plain = folder / PLAIN_WEIGHTS
    write_packed(folder / PACKED_WEIGHTS, dict(PackedFile.open(plain).items()), zstd=zstd)
    plain.unlink()


def load(
    source: str | Path,
    *,
    revision: str | None = None,
    check_hashes: bool = False,
    report: Report | None = None,
) -> Checkpoint:
    """The checkpoint in a bundle's folder or archive, or one in a folder of its own, packed or
    not, or on the hub."""
    path = Path(source)
    if not holds_bundle(path):
        return open_checkpoint(str(source), revision=revision)
    with opened(path, check_hashes=check_hashes, report=report) as bundle:
        folder = bundle.folder / HOST_ONLY
        if not folder.is_dir():
            raise BadInput(
                f"{source} has no PyTorch checkpoint in it: give the fp32 bundle that it was made "
                "from, with its pytorch folder."
            )
        return dataclasses.replace(open_checkpoint(str(folder)), source=str(source))


def _copy_all_but_weights(source: Path, place: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and path != source / PLAIN_WEIGHTS:
            copy = place / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _refuse_unpackable(source: Path) -> None:
    if not is_checkpoint(source):
        raise BadInput(f"{source} is no checkpoint's folder: it has no config.json.")
    if is_packed(source):
        raise BadInput(f"{source} is packed already: give the checkpoint that it was made from.")
    if not (source / PLAIN_WEIGHTS).is_file():
        raise BadInput(
            f"{source} has no {PLAIN_WEIGHTS}, the one file of weights that can be packed: "
            "save the model again with save_pretrained."
        )
