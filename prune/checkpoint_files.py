"""Whether the files of a checkpoint belong together, found without torch and transformers.

transformers opens a model without its tokenizer, with another model's, or with fewer blocks than
there are weights for, reports nothing, and transcribes nonsense. `prune.checkpoint` asks here
before it opens a folder and once more with what transformers made of it; the check of a recipe
asks here alone.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from prune.packed_weights import PACKED_WEIGHTS, PLAIN_WEIGHTS, is_packed
from runtime.bundle import Family
from runtime.packed.reader import PackedFile
from runtime.packed.rounded import rounded_names
from speech.errors import BadInput, InputWarning
from speech.parsed import json_from

#: `model_type` of the configurations that we can open, and how their models decode.
FAMILIES: dict[str, Family] = {
    "whisper": "whisper",
    "sew": "ctc",
    "sew-d": "ctc",
    "wav2vec2": "ctc",
}

#: What lists the files that the weights are split into.
_SHARDS = "model.safetensors.index.json"

#: Where the settings of the feature extractor stand.
_FEATURES = ("preprocessor_config.json", "processor_config.json")

#: Weights that a checkpoint may have although the model has no place for them, for they play no
#: part in a transcript: what hides features in training (published CTC checkpoints have it where
#: the configuration hides nothing), and the heads that wav2vec 2.0 was pretrained with.
_UNUSED = re.compile(r"(.*\.)?masked_spec_embed|(quantizer|project_q|project_hid)\..*")

_WHISPER = re.compile(
    r"""
    proj_out\.weight
    | (model\.)? (
        encoder\.conv[12]
        | (encoder|decoder)\.(embed_positions|layer_norm)
        | decoder\.embed_tokens
        | (encoder|decoder)\.layers\.\d+\.(
            (self|encoder)_attn\.(k|v|q|out)_proj
            | (self_attn|encoder_attn|final)_layer_norm
            | fc[12]
        )
    ) \.(weight|bias)
    """,
    re.VERBOSE,
)
#: What precedes the names of a CTC model's weights, beside its head's.
_PREFIX = rf"(({'|'.join(kind.replace('-', '_') for kind in FAMILIES)})\.)?"
_CTC = re.compile(
    rf"""
    lm_head\.(weight|bias)
    | {_PREFIX} encoder\.pos_conv_embed\.conv\.(
        bias | weight(_[gv])? | parametrizations\.weight\.original[01]
    )
    | {_PREFIX} (
        feature_extractor\.conv_layers\.\d+\.(conv|layer_norm)
        | feature_projection(\.(layer_norm|projection))?
        | (encoder\.)?layer_norm
        | encoder\.pos_conv_embed\.batch_norm
        | encoder\.layers\.\d+\.(
            attention\.(k|v|q|out)_proj
            | (final_)?layer_norm
            | feed_forward\.(intermediate|output)_dense
            | adapter_layer\.(norm|linear_[12])
        )
        | encoder\.upsample\.projection
        | adapter\.(proj|proj_layer_norm|layers\.\d+\.conv)
        | encoder\.encoder\.(LayerNorm|rel_embeddings|conv\.(conv|LayerNorm))
        | encoder\.encoder\.layer\.\d+\.(
            attention\.self\.(pos_)?(query|key|value)_proj
            | (attention\.)?output\.(dense|LayerNorm)
            | intermediate\.dense
        )
    ) \.(weight|bias)
    """,
    re.VERBOSE,
)
#: Names of all weights that models of a family can have.
_KNOWN: dict[Family, re.Pattern[str]] = {"whisper": _WHISPER, "ctc": _CTC}

#: Keys of the configuration that count blocks, with the names of the blocks.
_BLOCKS: dict[Family, dict[str, re.Pattern[str]]] = {
    "whisper": {
        f"{stack}_layers": re.compile(rf"(?:model\.)?{stack}\.layers\.(\d+)\..*")
        for stack in ("encoder", "decoder")
    },
    "ctc": {
        "num_hidden_layers": re.compile(r"(?:\w+\.)?encoder\.(?:encoder\.)?layers?\.(\d+)\..*")
    },
}

#: The weight with a row for each token.
_HEADS: dict[Family, re.Pattern[str]] = {
    "whisper": re.compile(r"(model\.)?decoder\.embed_tokens\.weight"),
    "ctc": re.compile(r"lm_head\.weight"),
}

#: Whisper's special tokens by the key that holds the id of each, besides the end of text.
_SPECIALS = {
    "decoder_start_token_id": "<|startoftranscript|>",
    "no_timestamps_token_id": "<|notimestamps|>",
    "prev_sot_token_id": "<|startofprev|>",
}
_END = "<|endoftext|>"

_COPY = "copy all files from the model that the weights come from"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Tokens:
    """The vocabulary of a tokenizer."""

    #: The file it was read from.
    file: str
    ids: Mapping[str, int]
    #: Whisper's end of text.
    end: str = _END
    #: What a CTC model answers between two symbols.
    blank: str = "<pad>"
    #: Tokens that a CTC model need not have an output for.
    silent: frozenset[str] = frozenset()


def refuse_misfits(folder: Path, name: str) -> None:
    """BadInput where tokenizer, settings and weights of a checkpoint do not belong together.

    `name` is what the user calls it. What transformers itself refuses is left to it.
    """
    config = _settings(folder, "config.json", name)
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        return
    if weights := weight_shapes(folder, name):
        _refuse_other_weights(family, config, *weights, name)
    tokens = _tokens(folder, family, name)
    if not any((folder / file).is_file() for file in _FEATURES):
        raise BadInput(
            f"{name} has no {_FEATURES[0]}, so nobody knows what the model takes of sound: {_COPY}."
        )
    generation = _settings(folder, "generation_config.json", name)
    refuse_other_tokens(family, tokens, config, generation, name)


def warn_of_adapter(folder: Path, name: str) -> None:
    if note := adapter_note(folder, name):
        warnings.warn(note, InputWarning, stacklevel=3)


def adapter_note(folder: Path, name: str) -> str | None:
    """What is reported of an adapter (LoRA and others of PEFT) in the folder of a checkpoint."""
    found = [*folder.glob("adapter_config.json"), *folder.glob("adapter_model.*")]
    if not found:
        return None
    return (
        f"{name} has an adapter ({found[0].name}), which is not applied: "
        "merge it into the weights (merge_and_unload) and save those to use it."
    )


def refuse_unknown_weights(names: Iterable[str], name: str) -> None:
    """`names` are those that the model has no place for."""
    if unknown := sorted(key for key in names if not _UNUSED.fullmatch(key)):
        raise BadInput(
            f"{name} has weights that its configuration does not know, "
            f"{unknown[0]} among them: the files do not belong together; {_COPY}."
        )


def refuse_other_tokens(
    family: Family, tokens: Tokens, config: Json, generation: Json, name: str
) -> None:
    """BadInput where a tokenizer is not the one that the model was trained with."""
    size = config.get("vocab_size")
    if type(size) is int:
        _refuse_other_size(family, tokens, size, name)
    if family == "whisper":
        _refuse_other_specials(tokens, config, generation, name)
    blank = config.get("pad_token_id")
    if family == "ctc" and type(blank) is int and tokens.ids.get(tokens.blank) != blank:
        _refuse_id(tokens, tokens.blank, "config.json", "pad_token_id", blank, name)


def weight_shapes(folder: Path, name: str) -> tuple[str, dict[str, tuple[int, ...]]] | None:
    """The file that lists the weights, and their shapes by name; () where it does not say.

    None where only torch can read the weights.
    """
    if is_packed(folder):
        packed = PackedFile.open(folder / PACKED_WEIGHTS)
        return PACKED_WEIGHTS, {key: packed.shape(key) for key in rounded_names(packed)}
    if (folder / PLAIN_WEIGHTS).is_file():
        try:
            with safe_open(folder / PLAIN_WEIGHTS, "numpy") as file:
                names = file.keys()
                return PLAIN_WEIGHTS, {k: tuple(file.get_slice(k).get_shape()) for k in names}
        except (OSError, SafetensorError) as error:
            raise BadInput(
                f"{name} has a configuration but its weights do not load: {PLAIN_WEIGHTS} cannot "
                f"be read ({error}); copy it again."
            ) from error
    shards = _settings(folder, _SHARDS, name).get("weight_map")
    if isinstance(shards, dict):
        return _SHARDS, dict.fromkeys(shards, ())
    if not any(folder.glob("*.bin*")):
        raise BadInput(
            f"{name} has a configuration but its weights do not load: {PLAIN_WEIGHTS} is missing; "
            "copy it there."
        )
    return None


def _refuse_other_weights(
    family: Family, config: Json, file: str, shapes: Mapping[str, tuple[int, ...]], name: str
) -> None:
    heads = [key for key in shapes if _HEADS[family].fullmatch(key)]
    if not heads:
        raise BadInput(
            f"{name}/{file} has no {'lm_head' if family == 'ctc' else 'decoder'}, so the model "
            "cannot give text: give a checkpoint fine-tuned for recognition."
        )
    for setting, pattern in _BLOCKS[family].items():
        found = {match[1] for key in shapes if (match := pattern.fullmatch(key))}
        asked = config.get(setting)
        if type(asked) is int and asked != len(found):
            raise BadInput(
                f"{name}/config.json says {setting} = {asked}, and {file} has {len(found)} such "
                f"layers: {_COPY}."
            )
    known = _KNOWN[family]
    refuse_unknown_weights((key for key in shapes if not known.fullmatch(key)), name)
    size, rows = config.get("vocab_size"), shapes[heads[0]][:1]
    if type(size) is int and rows and rows != (size,):
        raise BadInput(
            f"{name}/config.json says vocab_size = {size}, and {heads[0]} in {file} has {rows[0]} "
            f"rows: {_COPY}."
        )


def _refuse_other_size(family: Family, tokens: Tokens, size: int, name: str) -> None:
    where = f"{name}/{tokens.file}"
    whose = f"(vocab_size in config.json): the tokenizer is another model's; {_COPY}."
    ids = {number for token, number in tokens.ids.items() if token not in tokens.silent}
    if ids and max(ids) >= size:
        raise BadInput(f"{where} has token ids up to {max(ids)}, and the model {size} {whose}")
    # Whisper's timestamps, which come last, are not in every tokenizer.
    named = ids | {number for number in tokens.ids.values() if number < size}
    until = size if family == "ctc" else tokens.ids.get(tokens.end, 0)
    if unnamed := sorted(set(range(min(until, size))) - named):
        raise BadInput(
            f"{where} has no token for {len(unnamed)} of the model's {size} ids, {unnamed[0]} "
            f"among them {whose}"
        )


def _refuse_other_specials(tokens: Tokens, config: Json, generation: Json, name: str) -> None:
    """Of the two files the settings of generation count, and hold less in old checkpoints."""
    for key, token in {"eos_token_id": tokens.end, **_SPECIALS}.items():
        file, held = "generation_config.json", generation.get(key)
        if held is None:
            file, held = "config.json", config.get(key)
        numbers = held if isinstance(held, list) else [held]
        if held is not None and tokens.ids.get(token) not in numbers:
            _refuse_id(tokens, token, file, key, held, name)
    is_asked = generation.get("is_multilingual") is not False  # else the tables are left over
    for key, spelt in (("lang_to_id", "{}"), ("task_to_id", "<|{}|>")) if is_asked else ():
        table = generation.get(key)
        for entry, number in table.items() if isinstance(table, dict) else ():
            token = spelt.format(entry)
            if tokens.ids.get(token) != number:
                file = f"generation_config.json, {key}"
                _refuse_id(tokens, token, file, entry, number, name)
    special = {number for token, number in tokens.ids.items() if token.startswith("<|")}
    for number in _forced(generation if "forced_decoder_ids" in generation else config):
        if number not in special:
            raise BadInput(
                f"{name}: forced_decoder_ids holds {number!r}, which is no special token in "
                f"{tokens.file}: the tokenizer is another model's; {_COPY}."
            )


def _forced(settings: Json) -> list[Any]:
    """Ids that the decoder is made to begin with; there is none where a language is detected."""
    pairs = settings.get("forced_decoder_ids")
    found = [pair[1] for pair in pairs if len(pair) == 2] if isinstance(pairs, list) else []
    return [number for number in found if number is not None]


def _refuse_id(tokens: Tokens, token: str, file: str, key: str, number: object, name: str) -> None:
    mine = tokens.ids.get(token)
    has = f"gives {token} the id {mine}" if mine is not None else f"has no token {token}"
    raise BadInput(
        f"{name}/{tokens.file} {has}, and {file} says {key} = {number}: the tokenizer is another "
        f"model's; {_COPY}."
    )


def _tokens(folder: Path, family: Family, name: str) -> Tokens:
    """As transformers will read them."""
    settings = _settings(folder, "tokenizer_config.json", name)
    older = _settings(folder, "special_tokens_map.json", name)

    def called(role: str, otherwise: str) -> str:
        token = settings.get(role) or older.get(role) or otherwise
        return str(token.get("content", otherwise) if isinstance(token, dict) else token)

    file, ids = _vocabulary(folder, family, settings, name)
    ids |= _whole(_settings(folder, "added_tokens.json", name), name, "added_tokens.json")
    added = settings.get("added_tokens_decoder")
    for number, token in added.items() if isinstance(added, dict) else ():
        if str(number).isdigit() and isinstance(token, dict):
            ids.setdefault(str(token.get("content")), int(number))
    if family == "whisper":
        return Tokens(file, ids, end=called("eos_token", _END))
    blank, unknown = called("pad_token", "<pad>"), called("unk_token", "<unk>")
    silent = [unknown, called("bos_token", "<s>"), called("eos_token", "</s>")]
    for token in (*silent, blank):  # those that lack are added at the end
        ids.setdefault(token, max(ids.values(), default=-1) + 1)
    return Tokens(file, ids, blank=blank, silent=frozenset(silent) - {blank})


def _vocabulary(
    folder: Path, family: Family, settings: Json, name: str
) -> tuple[str, dict[str, int]]:
    """The file, and the ids that stand in it."""
    whole, plain = "tokenizer.json", "vocab.json"
    if family == "whisper" and (folder / whole).is_file():
        return whole, _fast_vocabulary(_settings(folder, whole, name), name)
    needed = [plain, "merges.txt"] if family == "whisper" else [plain]
    if not all((folder / file).is_file() for file in needed):
        wanted = f"{whole} (nor {' with '.join(needed)})" if family == "whisper" else plain
        raise BadInput(
            f"{name} has no {wanted}, so its answers cannot be spelt: copy the tokenizer's files "
            "from the model that the weights come from."
        )
    table = _settings(folder, plain, name)
    if isinstance(chosen := table.get(str(settings.get("target_lang"))), dict):  # one a language
        table = chosen
    return plain, _whole(table, name, plain)


def _fast_vocabulary(content: Json, name: str) -> dict[str, int]:
    file = "tokenizer.json"
    try:
        found = dict(content["model"]["vocab"])
        found |= {token["content"]: token["id"] for token in content["added_tokens"]}
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{name}/{file} has no vocabulary that can be read: {_COPY}.") from error
    return _whole(found, name, file)


def _whole(table: Json, name: str, file: str) -> dict[str, int]:
    for token, number in table.items():
        if type(number) is not int or number < 0:
            raise BadInput(f"{name}/{file} gives {token[:40]!r} no id: {_COPY}.")
    return dict(table)


def _settings(folder: Path, file: str, name: str) -> dict[str, Any]:
    """{} where there is no such file."""
    try:
        content = json_from((folder / file).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"{name}/{file} cannot be read ({error}): copy it again.") from error
    if not isinstance(content, dict):
        raise BadInput(f"{name}/{file} is no JSON object: copy it again.")
    return content
