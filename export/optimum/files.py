"""The files beside the graphs, as transformers 4 reads them.

optimum-onnx 0.1 lives with transformers 4.57, which trips over what transformers 5 writes: special
tokens are a list under a new name, added tokens are no longer told one by one, and feature
extractor and vocabulary have no files of their own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.manifest import write_json
from prune.checkpoint import Checkpoint

#: Keys of tokenizer_config.json that only transformers 5 knows.
_NEW_KEYS = ("backend", "is_local", "local_files_only")


def write_settings(checkpoint: Checkpoint, folder: Path) -> None:
    """Configuration, decoding, features and tokenizer into a folder that is there."""
    model, processor = checkpoint.model, checkpoint.processor
    model.config.save_pretrained(folder)
    if checkpoint.family == "whisper":
        model.generation_config.save_pretrained(folder)
    processor.feature_extractor.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    _rewrite_tokenizer(folder)


def _rewrite_tokenizer(folder: Path) -> None:
    settings_file, whole = folder / "tokenizer_config.json", folder / "tokenizer.json"
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    tokens: list[Mapping[str, Any]] = []
    if whole.exists():
        parts = json.loads(whole.read_text(encoding="utf-8"))
        tokens = parts["added_tokens"]
        write_json(parts["model"]["vocab"], folder / "vocab.json")
        _write_merges(parts["model"]["merges"], folder / "merges.txt")
    write_json(as_in_transformers_4(settings, tokens), settings_file)


def as_in_transformers_4(
    settings: Mapping[str, Any], tokens: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """The tokenizer's settings, with the added `tokens` of its tokenizer.json written into them."""
    old = {key: value for key, value in settings.items() if key not in _NEW_KEYS}
    extra = old.pop("extra_special_tokens", None)
    if isinstance(extra, list):
        old["additional_special_tokens"] = extra
    elif extra:
        old["extra_special_tokens"] = extra
    if tokens:
        old["added_tokens_decoder"] = {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"}
            for token in tokens
        }
    return old


def _write_merges(merges: list[Any], path: Path) -> None:
    pairs = (merge if isinstance(merge, str) else " ".join(merge) for merge in merges)
    path.write_text("#version: 0.2\n" + "".join(f"{pair}\n" for pair in pairs), encoding="utf-8")
