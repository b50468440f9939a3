"""Small bundles, and archives of them put together by hand: sound ones and others."""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zstandard

from runtime.bundle import Bundle, BundleFile, Manifest, Sparsity
from runtime.rules import CtcRules
from tests.runtime.graphs import empty_graph

FILES = {
    "onnx/model.onnx": empty_graph(b"graph" * 300),
    "vocab.json": b"{}",
    "pytorch/config.json": b'{"model_type": "sew"}',
    "pytorch/model.safetensors": bytes(range(256)) * 9,
}


def small_bundle(folder: Path, files: Mapping[str, bytes] = FILES) -> Bundle:
    """A CTC bundle whose files hold a few bytes each; the first is its graph, then the symbols."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    graph, symbols, *_ = files
    manifest = Manifest(
        name="tiny",
        family="ctc",
        architecture="sew",
        method="mp_global",
        sparsity=Sparsity(0.5, 0.4999, 0.45, {"sew.encoder.layers.0": 1.0}),
        score=None,
        provenance={"seed": 3, "versions": {"torch": "2.13.0"}},
        features={"do_normalize": True},
        decoding=CtcRules(0, "|", "?", False, False, 400),
        precision="fp32",
        graphs={"model": graph},
        weights={},
        tokenizer=symbols,
        files=tuple(BundleFile.of(folder, path) for path in files),
    )
    (folder / "bundle.json").write_text(json.dumps(manifest.to_json(), ensure_ascii=False))
    return Bundle.open(folder)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def entry(name: str, data: bytes = b"", **head: Any) -> bytes:
    """A file as a tar holds it; `head` overrides what its header says."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in head.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape") + padded(data)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def entries(folder: Path) -> dict[str, bytes]:
    """What a tar of a bundle is made of, `bundle.json` first, and its end as the entry ""."""
    bundle = Bundle.open(folder)
    names = ["bundle.json", *(file.path for file in bundle.manifest.files)]
    made = {name: entry(name, (folder / name).read_bytes()) for name in names}
    return made | {"": bytes(2 * tarfile.BLOCKSIZE)}


def compressed(tar: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(tar)
