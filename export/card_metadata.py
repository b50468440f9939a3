"""The head of a model card, which the hub reads: what a bundle is, as keys of its YAML.

Only what the bundle itself says: what it does not know is left out.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from runtime.bundle import Bundle, Manifest
from runtime.rules import WhisperRules
from speech.counted import counted
from speech.errors import BadInput

#: Methods that cut nothing.
UNCUT = ("dense", "dense_finetune")

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")

_TASK = "automatic-speech-recognition"


def front_matter(bundle: Bundle, *, license: str | None = None) -> ModelCardData:
    """`license` is an identifier of the hub's, such as apache-2.0."""
    manifest, results = bundle.manifest, _results(bundle.manifest)
    return ModelCardData(
        library_name="secateur",
        pipeline_tag=_TASK,
        base_model=base_model(manifest),
        language=language(bundle),
        license=license,
        tags=_tags(manifest),
        model_name=manifest.name if results else None,
        eval_results=results,
    )


def base_model(manifest: Manifest) -> str | None:
    """The hub's name of the model that was cut; None for a bundled one or a folder."""
    source = manifest.provenance.get("model")
    if not isinstance(source, str) or manifest.provenance.get("model_from") != "hub":
        return None
    try:
        validate_repo_id(source)
    except HFValidationError:
        return None
    return source


def language(bundle: Bundle) -> str | None:
    """What multilingual Whisper is told to write, as in the prefix of its decoder."""
    rules = bundle.manifest.decoding
    if not isinstance(rules, WhisperRules):
        return None
    try:
        tokens = json.loads(bundle.tokenizer.read_text(encoding="utf-8"))["added_tokens"]
        spelt = {token["id"]: str(token["content"]) for token in tokens}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{bundle.tokenizer} is not a tokenizer: export the bundle again."
        ) from error
    for token in rules.prefix:
        if named := _LANGUAGE.fullmatch(spelt.get(token, "")):
            return named[1]
    return None


def corpus(manifest: Manifest) -> str | None:
    """What it was scored on, as the recipe names it; of a path only the last part."""
    named = found(manifest.provenance, "recipe", "corpus", "evaluate")
    if not isinstance(named, str):
        return None
    is_path = named.startswith((".", "~", "/")) or named.count("/") > 1
    return Path(named).name if is_path else named


def found(record: Mapping[str, Any], *keys: str) -> Any:
    """What a record of records holds under these keys; None if it has no such place."""
    value: Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _tags(manifest: Manifest) -> list[str]:
    cut = ["pruned"] if manifest.method not in UNCUT and manifest.sparsity.achieved else []
    rounded = [manifest.precision] if manifest.precision != "fp32" else []
    return [*cut, "onnx", manifest.architecture, manifest.method, *rounded]


def _results(manifest: Manifest) -> list[EvalResult] | None:
    score, scored_on = manifest.score, corpus(manifest)
    if score is None or scored_on is None:
        return None
    kind, split, config = _dataset(scored_on)
    return [
        EvalResult(
            task_type=_TASK,
            dataset_type=kind,
            dataset_name=f"{scored_on} ({counted(score.clips, 'clip')})",
            dataset_config=config,
            dataset_split=split,
            metric_type="wer",
            metric_name="WER",
            metric_value=round(100 * score.wer, 2),
            metric_args={"normalizer": score.normalizer},
        )
    ]


def _dataset(scored_on: str) -> tuple[str, str | None, str | None]:
    """The hub's identifier of a corpus, its split and its configuration."""
    name, _, part = scored_on.partition(":")
    if name == "librispeech":
        split, _, config = part.partition("-")
        return "openslr/librispeech_asr", split or None, config or None
    if "/" in name:
        return name, None, part or None
    return name, part or None, None
