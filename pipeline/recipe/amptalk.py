"""A recipe of an AMPTALK-style JSON configuration: model, pruning, evaluation, hardware.

Every key of the file ends either in the recipe or in the list of what has no counterpart.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.recipe.section import nearest
from pipeline.recipe.starting import Start
from pipeline.recipe.toml_text import spelt
from prune.methods import METHODS
from speech.corpora.librispeech_download import ARCHIVES
from speech.errors import BadInput
from speech.parsed import json_from

#: Methods by what they are called there; and what each becomes when outliers are spared.
_METHODS = {"magnitude": "mp_local", "sparsegpt": "obs"}
_WITH_OWL = {"mp_local": "owl_mp", "wanda": "owl_wanda", "obs": "owl_obs"}

#: Keys with one value for which there is nothing to say, for it is what happens anyway.
_ANYWAY: dict[str, tuple[object, ...]] = {
    "pruning.pruning_pattern": ("unstructured",),
    "pruning.outlier_detection_method": ("owl",),
    "optimization.quantization.method": ("dynamic",),
    "output.save_model": (True,),
    "output.export_onnx": (True,),
    "output.log_to_tensorboard": (False,),
    "optimization.compile.enabled": (False,),
}

#: Why a key has no counterpart, where there is more to say than that.
_REASONS = {
    "model.cache_dir": "the hub's own cache is used; HF_HOME moves it",
    "hardware.device": "say it when you run: secateur run --device",
    "hardware.use_mps": "say it when you run: secateur run --device mps",
    "hardware.precision": "pruning computes in fp32; export.precisions says what comes out",
    "pruning.excluded_modules": "embeddings, norms and biases stay anyway; prune.layers chooses",
    "evaluation.batch_size": "clips are heard one by one, as on a device",
}
_METRICS = {"wer", "word_error_rate", "cer", "character_error_rate"}


def imported(path: Path, name: str) -> tuple[str, list[str]]:
    """The recipe's text, and a line for each key that has no counterpart there."""
    source = _Source(path)
    start = _start(source, name)
    left = [
        f"{key} = {spelt(value)}: {_REASONS.get(key, 'a recipe has nothing for it')}"
        for key, value in source.left()
    ]
    headline = [f"Made from {path.name}."]
    if left:
        headline += ["These of its keys have no counterpart:", *(f"  {line}" for line in left)]
    return Start(**start, headline=headline).text(), left


class _Source:
    """The configuration; it remembers what was taken of it."""

    def __init__(self, path: Path):
        self.path = path
        self._values = dict(_flat(_content(path)))
        self._taken: set[str] = set()

    def take(self, key: str, kind: type | tuple[type, ...], usual: Any = None) -> Any:
        value = self._values.get(key, usual)
        if key in self._values:
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise BadInput(
                    f"{self.path}: {key} = {spelt(value)} is of the wrong kind: mend it."
                )
            self._taken.add(key)
        return value

    def give_back(self, key: str, value: object) -> None:
        """Of what was taken this has no counterpart after all."""
        self._values[key] = value
        self._taken.discard(key)

    def left(self) -> Iterator[tuple[str, Any]]:
        for key, value in self._values.items():
            if key not in self._taken and value not in _ANYWAY.get(key, ()):
                yield key, value

    def __contains__(self, key: str) -> bool:
        return key in self._values


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json_from(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise BadInput(f"{path} has no section 'model': give a configuration that names one.")
    return content


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots between them; of a list of tables each table's."""
    for name, value in content.items():
        key = f"{above}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.")
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            for number, each in enumerate(value):
                yield from _flat(each, f"{key}.{number}.")
        else:
            yield key, value


def _start(source: _Source, name: str) -> dict[str, Any]:
    model = source.take("model.name", str)
    if not model:
        raise BadInput(f"{source.path}: model.name is missing: say which model is to be pruned.")
    threads = source.take("hardware.cpu_threads", int, 1)
    keeps = source.take("output.save_pruned_checkpoints", bool, True)
    return {
        "name": name,
        "models": [model],
        "output": source.take("output.dir", str, ""),
        "pytorch": "plain" if keeps else "none",
        "threads": threads,
        "precisions": _precisions(source),
        **_pruning(source),
        **_evaluation(source),
    }


def _pruning(source: _Source) -> dict[str, Any]:
    asked = source.take("pruning.method", str, "magnitude")
    method = _METHODS.get(asked.lower(), asked)
    if method not in METHODS:
        near = nearest(asked, [*_METHODS, *METHODS], 0.4)
        hint = (
            f"did you mean {near!r}?" if near else f"there are {', '.join([*_METHODS, *METHODS])}."
        )
        raise BadInput(f"{source.path}: pruning.method = {asked!r} is no method here; {hint}")
    options: dict[str, Any] = {}
    if source.take("pruning.apply_outlier_weighting", bool, False):
        if method not in (*_WITH_OWL, *_WITH_OWL.values()):
            raise BadInput(
                f"{source.path}: pruning.apply_outlier_weighting goes with {', '.join(_WITH_OWL)}, "
                f"not with {method}: leave it out."
            )
        method = _WITH_OWL.get(method, method)
    if METHODS[method].allocation == "owl":
        for key, there in (("owl_lambda", "outlier_hyper_lambda"), ("owl_m", "outlier_hyper_m")):
            if f"pruning.{there}" in source:
                options[key] = source.take(f"pruning.{there}", (int, float))
    if modules := source.take("pruning.target_modules", list, []):
        options["layers"] = [str(module) for module in modules]
    cut = source.take("pruning.sparsity", (int, float, list), 0.3)
    sparsities = cut if isinstance(cut, list) else [cut]
    if not all(isinstance(each, int | float) for each in sparsities):
        raise BadInput(
            f"{source.path}: pruning.sparsity = {spelt(cut)} has more than numbers in it."
        )
    return {
        "methods": [method],
        "sparsities": [0.0, *(float(each) for each in sparsities if each)],
        "options": options,
    }


def _evaluation(source: _Source) -> dict[str, Any]:
    """The first of the data sets; those after it are left."""
    start = "evaluation.datasets.0."
    if f"{start}name" not in source:
        return {"evaluate": "librispeech:test-clean"}
    name = source.take(f"{start}name", str)
    if name.partition("_")[0].lower() == "librispeech":
        subset = source.take(f"{start}subset", str, "clean")
        split = source.take(f"{start}split", str, "test").replace(".", "-")
        name = f"librispeech:{split if split in ARCHIVES else f'{split}-{subset}'}"
    elif f"{start}subset" in source:
        name = f"{name}:{source.take(f'{start}subset', str)}"
    metrics = {str(each).lower() for each in source.take("evaluation.metrics", list, [])}
    if unknown := sorted(metrics - _METRICS):
        source.give_back("evaluation.metrics", unknown)
    return {"evaluate": name, "limit": source.take(f"{start}max_samples", int)}


def _precisions(source: _Source) -> list[str]:
    section = "optimization.quantization"
    if not source.take(f"{section}.enabled", bool, False):
        return ["fp32"]
    bits = source.take(f"{section}.bits", int, 8)
    known = {16: "fp16", 8: "int8", 4: "int4"}
    if bits not in known:
        near = min(known, key=lambda other: abs(other - bits))
        raise BadInput(
            f"{source.path}: {section}.bits = {bits} is none of 16, 8 and 4: try {near}."
        )
    return ["fp32", known[bits]]
