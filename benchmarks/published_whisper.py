"""Random weights that every Whisper program takes for whisper-tiny, and that never stop talking.

Programs know the multilingual Whisper's special tokens by their numbers, so the vocabulary is laid
out as the published one: 50,257 tokens of text, then the specials and timestamps. A random model
says whatever it likes; this one likes no special token, and so says exactly as many as it may.
"""

from itertools import islice, product
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import GenerationConfig, WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from benchmarks.shapes import random_checkpoint
from prune.checkpoint import Checkpoint
from prune.families.groups import groups
from prune.structure.shapes import record_shapes
from prune.structure.slicing import cut

#: Tokens of text, then those that are none.
_TEXT, _ALL = 50_257, 51_865
_END, _START = _TEXT, _TEXT + 1
_TASKS = ("<|translate|>", "<|transcribe|>")
_OTHERS = ("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")


def published_whisper(tokens: int) -> Checkpoint:
    """whisper-tiny's shape; `tokens` are what it says of a clip, beside the prefix."""
    checkpoint = random_checkpoint("whisper-tiny", vocabulary=_ALL, tokens=tokens)
    tokenizer = checkpoint.processor.tokenizer = _tokenizer()
    numbers = {name: tokenizer.convert_tokens_to_ids(name) for name in (*_TASKS, *_OTHERS)}
    config = checkpoint.model.config
    config.decoder_start_token_id = _START
    config.pad_token_id = config.bos_token_id = config.eos_token_id = _END
    checkpoint.model.generation_config = GenerationConfig(
        decoder_start_token_id=_START,
        pad_token_id=_END,
        bos_token_id=_END,
        eos_token_id=_END,
        max_new_tokens=tokens,
        is_multilingual=True,
        return_timestamps=False,
        lang_to_id={f"<|{code}|>": _START + 1 + i for i, code in enumerate(islice(LANGUAGES, 99))},
        task_to_id={name.strip("<|>"): numbers[name] for name in _TASKS},
        no_timestamps_token_id=numbers["<|notimestamps|>"],
        prev_sot_token_id=numbers["<|startofprev|>"],
        alignment_heads=[[2, 0], [3, 0]],
    )
    _never_end(checkpoint.model)
    return checkpoint


def halve(checkpoint: Checkpoint) -> Checkpoint:
    """The same object, with every second head and FFN neuron gone."""
    for group in groups(checkpoint.model).values():
        cut(checkpoint.model, group, range(0, group.count, 2))
    record_shapes(checkpoint.model)
    return checkpoint


def _tokenizer() -> Any:
    """Bytes, pairs of them as far as there is room, and the specials: 99 languages."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(islice(product(letters, letters), _TEXT - len(letters)))
    words = [*letters, *(a + b for a, b in merges), "<|endoftext|>"]
    languages = [f"<|{code}|>" for code in islice(LANGUAGES, 99)]
    tokenizer = WhisperTokenizer(
        vocab={word: i for i, word in enumerate(words)},
        merges=merges,
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|startoftranscript|>", *languages, *_TASKS, *_OTHERS],
    )
    stamps = [f"<|{0.02 * i:.2f}|>" for i in range(_ALL - len(tokenizer))]
    tokenizer.add_tokens(stamps)
    assert len(tokenizer) == _ALL
    return tokenizer


@torch.no_grad()
def _never_end(model: Any) -> None:
    """All hidden states lean one way, and the rows of what is no text point the other way."""
    way = torch.nn.functional.normalize(torch.randn(model.config.d_model), dim=0)
    model.model.decoder.layer_norm.bias += 8 * way
    model.proj_out.weight[_TEXT:] = -way
