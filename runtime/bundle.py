"""The bundle: a folder with a pruned model, and the manifest that host and device agree on.

`bundle.json` names every file with its size and SHA-256, says how the model was pruned and how
well it heard on the host, and holds the rules of decoding as data, so that a device needs no code
that knows the checkpoint. Nothing in a bundle is executed or unpickled.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self, cast

from runtime.json_fields import JsonFields
from speech.errors import BadInput
from speech.parsed import json_from
from speech.readable import readable

SCHEMA = 3
MANIFEST = "bundle.json"

#: The folder of the PyTorch checkpoint, which a device may leave behind.
HOST_ONLY = "pytorch"

Family = Literal["whisper", "ctc"]

#: What the weights of products are held in: fp16 only in the file, the others also in memory;
#: mixed is an int8 encoder with an int4 decoder.
PRECISIONS = ("fp32", "fp16", "int8", "int4", "mixed")

#: The graphs that each family needs.
ROLES: dict[str, frozenset[str]] = {
    "whisper": frozenset({"encoder", "decoder"}),
    "ctc": frozenset({"model"}),
}


@dataclass(frozen=True)
class Sparsity:
    """Shares of weights that are exactly zero, as fractions of one."""

    #: What the user asked for; null where a method was given none.
    requested: float | None
    #: Of the weights that pruning may touch.
    achieved: float
    #: Of all weights.
    model: float
    layers: Mapping[str, float]

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            return cls(
                requested=None if fields.is_null("requested") else fields.share("requested"),
                achieved=fields.share("achieved"),
                model=fields.share("model"),
                layers=fields.shares("layers"),
            )


@dataclass(frozen=True)
class BundleFile:
    """A file of the bundle: its place under the folder (with /), bytes, and SHA-256 in hex."""

    path: str
    size: int
    sha256: str

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            file = cls(fields.text("path"), fields.whole("size"), fields.text("sha256"))
            if not _stays_inside(file.path):
                raise fields.wrong("path", f"is {file.path!r}, which leads out of the bundle")
            if len(file.sha256) != 64 or set(file.sha256) - set("0123456789abcdef"):
                raise fields.wrong("sha256", f"of {file.path} is not 64 hexadecimal digits")
            return file

    @classmethod
    def of(cls, folder: Path, path: str) -> Self:
        """What the manifest should say about a file that is there."""
        return cls(path, (folder / path).stat().st_size, _sha256(folder / path))


@dataclass(frozen=True)
class Manifest:
    """Everything `bundle.json` says."""

    name: str
    family: Family
    #: `model_type` of the checkpoint's configuration.
    architecture: str
    method: str
    sparsity: Sparsity
    #: `speech.scoring.Score` on the host as JSON; null where nobody measured.
    score: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
    #: The keys of `preprocessor_config.json`.
    features: Mapping[str, Any]
    #: `WhisperRules` or `CtcRules` as JSON.
    decoding: Mapping[str, Any]
    #: One of `PRECISIONS`.
    precision: str
    #: What each ONNX file is for, and its path.
    graphs: Mapping[str, str]
    #: The packed files of those graphs that were written without their weights.
    weights: Mapping[str, str]
    tokenizer: str
    files: tuple[BundleFile, ...]

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self), "files": [asdict(file) for file in self.files]}

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            schema = fields.whole("schema")
            if schema != SCHEMA:
                raise BadInput(
                    f"{where} has schema {schema} and this Secateur reads schema {SCHEMA}: "
                    "export the bundle again, or update Secateur."
                )
            family = fields.text("family")
            if family not in ROLES:
                raise fields.wrong("family", f"is {family!r}, neither of {', '.join(ROLES)}")
            manifest = cls(
                name=fields.text("name"),
                family=cast(Family, family),
                architecture=fields.text("architecture"),
                method=fields.text("method"),
                sparsity=Sparsity.from_json(fields.mapping("sparsity"), f"{where}, 'sparsity'"),
                score=None if fields.is_null("score") else fields.mapping("score"),
                provenance=fields.mapping("provenance"),
                features=fields.mapping("features"),
                decoding=fields.mapping("decoding"),
                precision=fields.text("precision"),
                graphs=fields.texts("graphs"),
                weights=fields.texts("weights"),
                tokenizer=fields.text("tokenizer"),
                files=tuple(
                    BundleFile.from_json(file, f"{where}, file {i}")
                    for i, file in enumerate(fields.objects("files"))
                ),
            )
            manifest._check_paths(fields)
            return manifest

    def _check_paths(self, fields: JsonFields) -> None:
        listed = [file.path for file in self.files]
        for path, times in Counter(listed).items():
            if times > 1:
                raise fields.wrong("files", f"lists {path} twice")
        if missing := sorted(ROLES[self.family] - self.graphs.keys()):
            raise fields.wrong("graphs", f"has no {missing[0]!r}")
        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise fields.wrong("precision", f"is {self.precision!r}, none of {known}")
        if strays := sorted(self.weights.keys() - self.graphs.keys()):
            raise fields.wrong("weights", f"has {strays[0]!r}, which is no graph of this bundle")
        for path in (*self.graphs.values(), *self.weights.values(), self.tokenizer):
            if path not in listed:
                raise fields.wrong("files", f"does not list {path}")


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its manifest is valid and its files are there in their right size."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path, *, check_hashes: bool = False, on_device: bool = False) -> Self:
        """Read and check a bundle; every fault is one sentence that names bundle and file.

        `on_device` allows the PyTorch checkpoint to be absent. Hashing reads every byte, so it is
        left to those who received the bundle from elsewhere.
        """
        bundle = cls(folder, Manifest.from_json(_read_manifest(folder), str(folder / MANIFEST)))
        for file in bundle.manifest.files:
            bundle._check_file(file, may_lack=on_device and _is_host_only(file.path))
        if check_hashes:
            bundle.verify()
        return bundle

    def graph(self, role: str) -> Path:
        return self.folder / self.manifest.graphs[role]

    def weights(self, role: str) -> Path | None:
        """The packed weights of a graph; None if it holds them itself."""
        path = self.manifest.weights.get(role)
        return self.folder / path if path else None

    @property
    def tokenizer(self) -> Path:
        return self.folder / self.manifest.tokenizer

    @property
    def device_files(self) -> tuple[BundleFile, ...]:
        """The files that a device needs beside `bundle.json`."""
        return tuple(file for file in self.manifest.files if not _is_host_only(file.path))

    @property
    def sha256(self) -> str:
        """Of the manifest, and so of everything: it holds the hash of every other file."""
        return _sha256(self.folder / MANIFEST)

    def verify(self) -> None:
        """Hash every file that is there; raise for the first that differs."""
        for file in self.manifest.files:
            path = self.folder / file.path
            if path.exists() and _sha256(path) != file.sha256:
                raise self._wrong(file, "has changed since the bundle was written")

    def _check_file(self, file: BundleFile, *, may_lack: bool) -> None:
        path = self.folder / file.path
        places = [path, *path.parents][: len(PurePosixPath(file.path).parts)]
        try:
            if may_lack and not path.exists():
                return
            if any(place.is_symlink() for place in places):
                raise self._wrong(file, "is reached through a symbolic link")
            if not path.is_file():
                raise self._wrong(file, "is missing")
            size = path.stat().st_size
        except OSError as error:
            raise self._wrong(file, f"cannot be looked at ({error.strerror})") from error
        if size != file.size:
            raise self._wrong(file, f"has {size} bytes instead of {file.size}")

    def _wrong(self, file: BundleFile, what: str) -> BadInput:
        return BadInput(
            f"{file.path} of the bundle {self.folder} {what}: copy or export the bundle again."
        )


def _read_manifest(folder: Path) -> object:
    path = folder / MANIFEST
    try:
        if path.is_symlink():
            raise BadInput(f"{path} is a symbolic link: copy the bundle itself.")
        return json_from(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"{folder} is not a bundle: it has no {MANIFEST}.") from error
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON ({error}): export the bundle again.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _stays_inside(path: str) -> bool:
    """Whether a path is relative, plain and with forward slashes, on every system alike."""
    parts = path.split("/")
    plain = all(part not in ("", ".", "..") for part in parts)
    return plain and path != MANIFEST and path.isprintable() and not set(path) & set("\\:")


def _is_host_only(path: str) -> bool:
    return path.split("/")[0] == HOST_ONLY


def _sha256(path: Path) -> str:
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
