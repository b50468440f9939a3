"""Ways to change the files of a checkpoint, for tests of what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Change = Callable[[Path], object]
Folders = dict[str, Path]


def copied(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place))


def read(folder: Path, file: str) -> Any:
    return json.loads((folder / file).read_text())


def edited(folder: Path, file: str, **changes: Any) -> None:
    """None takes a key out."""
    content = json.loads((folder / file).read_text())
    content |= changes
    kept = {key: value for key, value in content.items() if value is not None}
    (folder / file).write_text(json.dumps(kept))


def setting(file: str, **changes: Any) -> Change:
    return lambda folder: edited(folder, file, **changes)


def both(one: Change, other: Change) -> Change:
    return lambda folder: (one(folder), other(folder))


def without(*files: str) -> Change:
    return lambda folder: [(folder / file).unlink() for file in files]


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def changed(folder: Path) -> None:
        content = load_file(folder / "model.safetensors")
        change(content)
        save_file(content, folder / "model.safetensors", {"format": "pt"})

    return changed


def renumbered(*tokens: tuple[str, str]) -> Change:
    """Each pair of tokens changes places in tokenizer.json."""

    def swapped(folder: Path) -> None:
        content = json.loads((folder / "tokenizer.json").read_text())
        vocab, added = content["model"]["vocab"], content["added_tokens"]
        for one, other in tokens:
            ids = {token["content"]: token["id"] for token in added}
            for token in added:
                partner = {one: other, other: one}.get(token["content"])
                token["id"] = ids[partner] if partner else token["id"]
            if one in vocab and other in vocab:
                vocab[one], vocab[other] = vocab[other], vocab[one]
        (folder / "tokenizer.json").write_text(json.dumps(content))

    return swapped


def letters(**changes: int | None) -> Change:
    return setting("vocab.json", **changes)
