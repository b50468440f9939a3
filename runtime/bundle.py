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
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from runtime.onnx_file import OnnxFile
from runtime.rules import RULES, CtcRules, WhisperRules
from speech.errors import BadInput
from speech.feature_settings import LogMelSettings, WaveformSettings
from speech.parsed import json_from
from speech.readable import readable
from speech.records import Bytes, Length, Pattern, Share, record_from, shortened
from speech.score import Score

SCHEMA = 3
MANIFEST = "bundle.json"

#: Bytes of a `bundle.json`; that of a large model has some hundred thousand.
_MANIFEST_LIMIT = 64 << 20

#: The folder of the PyTorch checkpoint, which a device may leave behind.
HOST_ONLY = "pytorch"

Family = Literal["whisper", "ctc"]

#: What the weights of products are held in: fp16 only in the file, the others also in memory;
#: mixed is an int8 encoder with an int4 decoder.
Precision: TypeAlias = Literal["fp32", "fp16", "int8", "int4", "mixed"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

#: The graphs that each family needs.
ROLES: dict[str, frozenset[str]] = {
    "whisper": frozenset({"encoder", "decoder"}),
    "ctc": frozenset({"model"}),
}

Name = Annotated[str, Length(500, least=1)]
#: Under the folder, with /.
Place = Annotated[str, Length(4096, least=1)]
Places = Annotated[Mapping[str, Place], Length(100)]


@dataclass(frozen=True)
class Sparsity:
    """Shares of weights that are exactly zero, as fractions of one."""

    #: What the user asked for; null where a method was given none.
    requested: Share | None
    #: Of the weights that pruning may touch.
    achieved: Share
    #: Of all weights.
    model: Share
    layers: Annotated[Mapping[str, Share], Length(100_000)]


@dataclass(frozen=True)
class BundleFile:
    """A file of the bundle: its place, bytes, and SHA-256 in hex."""

    path: Place
    size: Bytes
    sha256: Annotated[str, Pattern("[0-9a-f]{64}", "64 hexadecimal digits")]

    @classmethod
    def of(cls, folder: Path, path: str) -> Self:
        """What the manifest should say about a file that is there."""
        return cls(path, (folder / path).stat().st_size, _sha256(folder / path))


def model_in(provenance: Mapping[str, Any]) -> str:
    """As `Manifest.model`."""
    model, revision = provenance.get("model"), provenance.get("revision")
    return f"{model}@{revision}" if model and revision else str(model or "")


@dataclass(frozen=True)
class Manifest:
    """Everything `bundle.json` says."""

    name: Name
    family: Family
    #: `model_type` of the checkpoint's configuration.
    architecture: Name
    method: Name
    sparsity: Sparsity
    #: On the host; null where nobody measured.
    score: Score | None
    provenance: Annotated[Mapping[str, Any], Length(1000)]
    #: The keys of `preprocessor_config.json`.
    features: Annotated[Mapping[str, bool | int | float | str | None], Length(1000)]
    decoding: WhisperRules | CtcRules
    precision: Precision
    #: What each ONNX file is for, and its path.
    graphs: Places
    #: The packed files of those graphs that were written without their weights.
    weights: Places
    tokenizer: Place
    files: Annotated[tuple[BundleFile, ...], Length(100_000)]

    @property
    def model(self) -> str:
        """What was pruned, such as `owner/name@revision`; empty where that is not known."""
        return model_in(self.provenance)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            **asdict(self),
            "decoding": self.decoding.to_json(),
            "files": [asdict(file) for file in self.files],
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        """Raises BadInput with the key that is wrong; `where` begins every complaint."""
        if not isinstance(data, dict):
            raise BadInput(f"{where} is not a JSON object: export the bundle again.")
        schema = data.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise BadInput(
                f"{where} has schema {shortened(schema)} and this Secateur reads schema {SCHEMA}: "
                "export the bundle again, or update Secateur."
            )
        try:
            if "schema" not in data:
                raise ValueError("it lacks the key 'schema'")
            rules = RULES.get(str(data.get("family")))
            if rules and "decoding" in data:  # in the terms of its family
                record_from(rules, data["decoding"], "decoding")
            manifest = record_from(cls, {key: data[key] for key in data if key != "schema"})
            manifest._check()
        except (ValueError, BadInput) as problem:
            raise BadInput(
                f"{where}: {str(problem).rstrip('.')}: export the bundle again, or update Secateur."
            ) from problem
        return manifest

    def _check(self) -> None:
        """ValueError or BadInput where values that are possible do not fit together."""
        listed = [file.path for file in self.files]
        for path, times in Counter(listed).items():
            if not _stays_inside(path):
                raise ValueError(f"files has the path {path!r}, which leads out of the bundle")
            if times > 1:
                raise ValueError(f"files lists {path} twice")
        if missing := sorted(ROLES[self.family] - self.graphs.keys()):
            raise ValueError(f"graphs has no {missing[0]!r}")
        if strays := sorted(self.weights.keys() - self.graphs.keys()):
            raise ValueError(f"weights has {strays[0]!r}, which is no graph of this bundle")
        for path in (*self.graphs.values(), *self.weights.values(), self.tokenizer):
            if path not in listed:
                raise ValueError(f"files does not list {path}")
            if _is_host_only(path):
                raise ValueError(f"{path} is in {HOST_ONLY}/, which a device may leave behind")
        if not isinstance(self.decoding, RULES[self.family]):
            raise ValueError(f"decoding is not that of the family {self.family!r}")
        kind = LogMelSettings if self.family == "whisper" else WaveformSettings
        try:
            kind.from_config(self.features)
        except BadInput as problem:
            raise ValueError(f"features: {problem}") from problem


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its manifest is valid, its files are there in their right size, and its
    graphs read no others."""

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
        for role in bundle.manifest.graphs:
            bundle._check_references(role)
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

    def _check_references(self, role: str) -> None:
        """Raise for a file that a graph reads and the manifest does not list.

        Where a graph's weights are packed it does not matter what it says about their place.
        """
        path, packed = self.manifest.graphs[role], role in self.manifest.weights
        listed = {file.path for file in self.device_files}
        for reference in OnnxFile.read(self.graph(role)).references:
            if reference.is_weight and packed:
                continue
            location = reference.location
            # onnxruntime takes a location with a star for an address in its own memory.
            if not _stays_inside(location) or "*" in location:
                why = "which is no plain path inside the bundle"
            elif (PurePosixPath(path).parent / location).as_posix() not in listed:
                why = f"which its {MANIFEST} does not list"
            else:
                continue
            raise BadInput(
                f"{path} of the bundle {self.folder} takes weights from {shortened(location)}, "
                f"{why}: export the bundle again."
            )

    def _wrong(self, file: BundleFile, what: str) -> BadInput:
        return BadInput(
            f"{file.path} of the bundle {self.folder} {what}: copy or export the bundle again."
        )


def _read_manifest(folder: Path) -> object:
    path = folder / MANIFEST
    try:
        if path.is_symlink():
            raise BadInput(f"{path} is a symbolic link: copy the bundle itself.")
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise BadInput(
                f"{path} has {path.stat().st_size} bytes, more than {_MANIFEST_LIMIT}: export the "
                "bundle again."
            )
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
