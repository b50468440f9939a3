"""A smaller vocabulary for Whisper: the words that are needed, and the bytes to spell all others.

In a small model the embedding, tied to the vocabulary projection, is most of the weights, and the
projection a third of a decoder step. Tokens that no needed text uses can go without retraining.
"""

import itertools
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from torch import nn

from prune.checkpoint import Checkpoint
from speech.errors import BadInput

#: Keys of the configuration and of the generation settings that hold token numbers.
_SINGLE = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "no_timestamps_token_id",
    "prev_sot_token_id",
)
_LISTS = ("suppress_tokens", "begin_suppress_tokens")
_TABLES = ("lang_to_id", "task_to_id")


@torch.no_grad()
def trim_vocabulary(checkpoint: Checkpoint, texts: Iterable[str]) -> list[int]:
    """Keep what it takes to write `texts` as now, in place; returns the old numbers by the new.

    Texts should be spelt and punctuated as the model writes. All special tokens, timestamps and
    single bytes stay, so that any other text can still be spelt, only in more tokens: a model that
    is not fine-tuned afterwards has seldom learnt to write words in such pieces.
    """
    if isinstance(texts, str):
        raise BadInput("The texts to trim the vocabulary to are one string: give a list of texts.")
    if checkpoint.family != "whisper":
        raise BadInput(
            f"{checkpoint.source} spells in letters and has no vocabulary to trim: "
            "leave trimming out, or take a Whisper checkpoint."
        )
    tokenizer, model = checkpoint.processor.tokenizer, checkpoint.model
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = _kept_numbers(checkpoint, description, texts)
    renumbered = {old: new for new, old in enumerate(kept)}
    checkpoint.processor.tokenizer = _trimmed_tokenizer(tokenizer, description, renumbered)
    _slice_embedding(model, kept)
    for settings in (model.config, model.generation_config):
        _renumber(settings, renumbered)
    model.config.vocab_size = len(kept)
    return kept


def _kept_numbers(
    checkpoint: Checkpoint, description: Mapping[str, Any], texts: Iterable[str]
) -> list[int]:
    """In rising order, so that the timestamps stay in one piece at the end."""
    known: dict[str, int] = description["model"]["vocab"]
    added = {token["content"] for token in description["added_tokens"]}
    words = {token: number for token, number in known.items() if token not in added}
    needed = set(pre_tokenizers.ByteLevel.alphabet())
    derive = _Derivation(description["model"]["merges"])
    spell = checkpoint.processor.tokenizer.backend_tokenizer
    used: set[str] = set()
    for text in texts:
        for spaced in (text, f" {text.strip()}"):
            used.update(spell.encode(spaced, add_special_tokens=False).tokens)
    for token in used - added:
        needed |= derive(token)
    removable = {number for token, number in words.items() if token not in needed}
    removable -= _named_numbers(checkpoint.model)
    return [
        number for number in range(checkpoint.model.config.vocab_size) if number not in removable
    ]


class _Derivation:
    """All tokens that byte-pair encoding passes through on its way to one."""

    def __init__(self, merges: Iterable[Any]):
        self._ranks = {_pair(merge): rank for rank, merge in enumerate(merges)}

    def __call__(self, token: str) -> set[str]:
        parts, seen = list(token), {token}
        while len(parts) > 1:
            pairs = list(itertools.pairwise(parts))
            first = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if first not in self._ranks:
                break
            place = pairs.index(first)
            parts[place : place + 2] = ["".join(first)]
            seen.add(parts[place])
        return seen


def _pair(merge: Any) -> tuple[str, str]:
    """Older tokenizer files join the two by a space."""
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _trimmed_tokenizer(
    tokenizer: Any, description: dict[str, Any], renumbered: Mapping[int, int]
) -> Any:
    """The same tokenizer, reopened from an edited file, so that all its other settings stay."""
    model = description["model"]
    vocab: dict[str, int] = {
        token: renumbered[number]
        for token, number in model["vocab"].items()
        if number in renumbered
    }
    merges = [_pair(merge) for merge in model["merges"]]
    model["vocab"] = vocab
    model["merges"] = [
        [first, second]
        for first, second in merges
        if first in vocab and second in vocab and first + second in vocab
    ]
    for token in description["added_tokens"]:
        token["id"] = renumbered[token["id"]]
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        tokenizer.save_pretrained(folder)
        path = Path(folder, "tokenizer.json")
        description["post_processor"] = None  # holds old numbers; the tokenizer makes it anew
        path.write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
        trimmed = type(tokenizer).from_pretrained(folder, trust_remote_code=False)
    _check_numbers(tokenizer, trimmed, renumbered)
    return trimmed


def _check_numbers(before: Any, after: Any, renumbered: Mapping[int, int]) -> None:
    expected = {
        token: renumbered[number]
        for token, number in before.get_vocab().items()
        if number in renumbered
    }
    if after.get_vocab() != expected:
        raise BadInput(
            "The tokenizer does not keep its numbers in order when it is trimmed: "
            "leave trimming out for this checkpoint, and please report it."
        )


def _slice_embedding(model: Any, kept: list[int]) -> None:
    embedding, projection = model.get_input_embeddings(), model.get_output_embeddings()
    tied = projection.weight is embedding.weight
    rows = torch.tensor(kept, device=embedding.weight.device)
    embedding.weight = nn.Parameter(embedding.weight[rows])
    embedding.num_embeddings = len(kept)
    if embedding.padding_idx is not None:
        embedding.padding_idx = kept.index(embedding.padding_idx)
    projection.weight = embedding.weight if tied else nn.Parameter(projection.weight[rows])
    projection.out_features = len(kept)


def _named_numbers(model: Any) -> set[int]:
    """Tokens that a setting names one by one must stay, whatever they are."""
    named: set[int] = set()
    for settings in (model.config, model.generation_config):
        for key in _SINGLE:
            value = getattr(settings, key, None)
            named.update(value if isinstance(value, list) else [] if value is None else [value])
        named.update(token for _, token in getattr(settings, "forced_decoder_ids", None) or ())
        for key in _TABLES:
            named.update((getattr(settings, key, None) or {}).values())
    return named


def _renumber(settings: Any, renumbered: Mapping[int, int]) -> None:
    """Lists of forbidden tokens lose those that are gone; numbers of no token stay as they are."""
    for key in _SINGLE:
        value = getattr(settings, key, None)
        if isinstance(value, list):
            setattr(settings, key, [renumbered.get(number, number) for number in value])
        elif value is not None:
            setattr(settings, key, renumbered.get(value, value))
    for key in _LISTS:
        if (forbidden := getattr(settings, key, None)) is not None:
            setattr(settings, key, [renumbered[n] for n in forbidden if n in renumbered])
    for key in _TABLES:
        if table := getattr(settings, key, None):
            setattr(settings, key, {name: renumbered[n] for name, n in table.items()})
    if forced := getattr(settings, "forced_decoder_ids", None):
        settings.forced_decoder_ids = [
            [place, None if token is None else renumbered[token]] for place, token in forced
        ]
