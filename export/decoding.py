"""A checkpoint's way of decoding, written down as the rules that the runtime follows."""

from collections.abc import Mapping
from typing import Any

from export.ctc_graph import shortest_audio
from prune.checkpoint import Checkpoint
from runtime.rules import CtcRules, WhisperRules

#: What `generate` adds to the prefix when a checkpoint sets no `max_length`.
_DEFAULT_LENGTH = 20


def whisper_rules(model: Any, choice: Mapping[str, str]) -> WhisperRules:
    """What `model.generate(**choice)` does, greedily and without timestamps.

    transformers' defaults suppress tokens of the large vocabulary; a small one may lack them.
    """
    settings = model.generation_config

    def in_vocabulary(key: str) -> tuple[int, ...]:
        tokens = getattr(settings, key, None) or ()
        return tuple(token for token in tokens if 0 <= token < model.config.vocab_size)

    prefix = _prefix(model, choice)
    end = settings.eos_token_id
    return WhisperRules(
        prefix=prefix,
        suppress=in_vocabulary("suppress_tokens"),
        begin_suppress=in_vocabulary("begin_suppress_tokens"),
        end=tuple(end) if isinstance(end, list) else (end,),
        max_length=_max_length(model, len(prefix)),
    )


def _prefix(model: Any, choice: Mapping[str, str]) -> tuple[int, ...]:
    settings = model.generation_config
    prefix = [settings.decoder_start_token_id]
    if choice:
        prefix.append(settings.lang_to_id[choice["language"]])
        prefix.append(settings.task_to_id[choice["task"]])
    else:
        forced = getattr(settings, "forced_decoder_ids", None) or ()
        prefix += [token for _, token in forced if token is not None]
    last = getattr(settings, "no_timestamps_token_id", None)
    if last is not None and prefix[-1] != last:
        prefix.append(last)
    return tuple(prefix)


def _max_length(model: Any, prefix: int) -> int:
    """Tokens in all: `generate` grants the prefix on top of `max_length`, up to the positions."""
    settings, positions = model.generation_config, int(model.config.max_target_positions)
    if settings.max_new_tokens is not None:
        wanted = settings.max_new_tokens + prefix
    else:
        length = _DEFAULT_LENGTH if settings.max_length is None else settings.max_length
        wanted = length + min(prefix, positions // 2 - 1)
    return min(int(wanted), positions)


def ctc_rules(checkpoint: Checkpoint) -> CtcRules:
    """What the checkpoint's `Wav2Vec2CTCTokenizer.decode` does with the likeliest symbols."""
    tokenizer = checkpoint.processor.tokenizer
    return CtcRules(
        blank=int(tokenizer.pad_token_id),
        delimiter=str(tokenizer.word_delimiter_token),
        unknown=str(tokenizer.unk_token),
        lower_case=bool(tokenizer.do_lower_case),
        tidy_spaces=bool(tokenizer.clean_up_tokenization_spaces),
        min_samples=shortest_audio(checkpoint.model.config),
    )


def ctc_symbols(checkpoint: Checkpoint) -> dict[str, int]:
    """Every symbol that the model can say, with its number."""
    tokenizer = checkpoint.processor.tokenizer
    count = int(checkpoint.model.config.vocab_size)
    symbols = tokenizer.convert_ids_to_tokens(list(range(count)))
    return {symbol: i for i, symbol in enumerate(symbols) if symbol != tokenizer.unk_token}
