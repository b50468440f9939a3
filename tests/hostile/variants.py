"""What is done to a sound bundle, by name: some hundred and fifty ways."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.bundle import MANIFEST, BundleFile
from tests.hostile.graph_edits import GRAPHS
from tests.hostile.manifest_edits import FIELDS, TEXTS
from tests.hostile.table_edits import TOKENIZERS, VOCABULARIES
from tests.hostile.weight_edits import WEIGHTS


@dataclass(frozen=True)
class Hostile:
    name: str
    #: The sound bundle that it begins as: "whisper", "packed" (Whisper in int8) or "ctc".
    base: str
    #: Is given the copy of the bundle.
    edit: Callable[[Path], None]
    #: Whether it is strange and yet works.
    works: bool = False


def variants() -> list[Hostile]:
    found = [*_manifests(), *_graphs(), *_tables(), *_weights()]
    assert len({one.name for one in found}) == len(found)
    return found


def _manifests() -> Iterator[Hostile]:
    for base, way, value, works in FIELDS:
        shown = value if len(value) < 30 else f"{value[:30]}… {len(value)}"
        name = f"{MANIFEST} {base} {'.'.join(map(str, way))} = {shown}"
        yield Hostile(name, base, _field(way, value), works)
    for name, data in TEXTS.items():
        yield Hostile(f"{MANIFEST} is {name}", "ctc", _file(MANIFEST, lambda _, data=data: data))


def _graphs() -> Iterator[Hostile]:
    for base, path, edits in GRAPHS:
        for name, (edit, works) in edits.items():
            yield Hostile(f"{base} {path} {name}", base, _listed(path, edit), works)


def _tables() -> Iterator[Hostile]:
    for base, path, edits in (
        ("whisper", "tokenizer.json", TOKENIZERS),
        ("ctc", "vocab.json", VOCABULARIES),
    ):
        for name, (edit, works) in edits.items():
            yield Hostile(f"{path} {name}", base, _listed(path, edit), works)


def _weights() -> Iterator[Hostile]:
    path = "onnx/decoder.weights"
    for name, (edit, works) in WEIGHTS.items():
        yield Hostile(f"{path} {name}", "packed", _listed(path, edit), works)


def _file(path: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).write_bytes(edit((folder / path).read_bytes()))

    return change


def _listed(path: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """With size and hash right: this is malice, and no damage on the way."""

    def change(folder: Path) -> None:
        _file(path, edit)(folder)
        manifest = json.loads((folder / MANIFEST).read_text())
        for entry in manifest["files"]:
            if entry["path"] == path:
                entry |= vars(BundleFile.of(folder, path))
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return change


def _field(way: tuple[str | int, ...], value: str) -> Callable[[Path], None]:
    """One value of the manifest, as JSON text that `json` itself would perhaps not write."""
    mark = "<here it goes>"

    def change(folder: Path) -> None:
        manifest: Any = json.loads((folder / MANIFEST).read_text())
        holder = manifest
        for key in way[:-1]:
            holder = holder[key]
        if value == "":
            del holder[way[-1]]
        else:
            holder[way[-1]] = mark
        text = json.dumps(manifest).replace(json.dumps(mark), value)
        (folder / MANIFEST).write_text(text)

    return change
