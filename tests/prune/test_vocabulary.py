"""A trimmed vocabulary says the same with fewer tokens, and transformers opens it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AddedToken,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.listen import transcribe
from prune.structure.vocabulary import trim_vocabulary
from speech.corpora import open_corpus
from speech.errors import BadInput
from tests.export.exported import bundle_of

CLIPS = 12


def test_demo_whisper_hears_the_same_with_fewer_words(tmp_path: Path) -> None:
    corpus = open_corpus("demo", limit=CLIPS)
    clips = [clip.samples() for clip in corpus.clips]
    checkpoint = open_checkpoint("demo-whisper")
    words = checkpoint.model.config.vocab_size
    before = transcribe(checkpoint, clips)
    kept = trim_vocabulary(checkpoint, before)
    assert 261 < len(kept) < words
    assert transcribe(checkpoint, clips) == before
    checkpoint.save(tmp_path)

    opened = WhisperForConditionalGeneration.from_pretrained(tmp_path)
    assert opened.proj_out.weight.shape == (len(kept), 144)
    assert opened.proj_out.weight is opened.model.decoder.embed_tokens.weight
    processor = WhisperProcessor.from_pretrained(tmp_path)
    features = processor([clips[0]], sampling_rate=16_000, return_tensors="pt").input_features
    heard = processor.batch_decode(opened.eval().generate(features), skip_special_tokens=True)
    assert heard[0].strip() == before[0]
    assert transcribe(open_checkpoint(str(tmp_path)), clips) == before


def test_texts_are_cut_as_before_and_others_are_still_spelt(tiny_whisper: Checkpoint) -> None:
    old = tiny_whisper.processor.tokenizer
    texts = ["turn on the radio", "the kitchen now"]
    expected = {text: old(f" {text}").input_ids for text in texts}
    gone = old(" lights").input_ids
    kept = trim_vocabulary(tiny_whisper, texts)
    new = tiny_whisper.processor.tokenizer
    for text in texts:
        assert [kept[token] for token in new(f" {text}").input_ids] == expected[text]
    assert len(new(" lights").input_ids) > len(gone)
    for text in (" lights", " Übung für Zoë, 42 €", "日本"):
        assert new.decode(new(text).input_ids, skip_special_tokens=True) == text
    assert len(new) == tiny_whisper.model.config.vocab_size == len(kept)


def test_a_trimmed_model_exports(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    kept = trim_vocabulary(tiny_whisper, ["the radio"])
    bundle = bundle_of(tiny_whisper, tmp_path / "bundle")  # checks parity
    vocab = json.loads(bundle.tokenizer.read_text())["model"]["vocab"]
    assert len(vocab) < len(kept) < 300
    assert bundle.manifest.decoding.end == (tiny_whisper.model.config.eos_token_id,)


def multilingual(checkpoint: Checkpoint) -> Checkpoint:
    """With languages, tasks, timestamps that are no special tokens, and an embedding untied."""
    model, old = checkpoint.model, checkpoint.processor.tokenizer
    table = json.loads(old.backend_tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in table["merges"]]
    names = ["<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    names += ["<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    words = {t: i for t, i in table["vocab"].items() if not t.startswith("<|")}
    tokenizer = WhisperTokenizer(
        vocab=words | {"<|endoftext|>": len(words)},
        merges=merges,
        pad_token="<|endoftext|>",
        additional_special_tokens=names,
    )
    times = [f"<|{i * 0.02:.2f}|>" for i in range(200)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    number = {token: tokenizer.convert_tokens_to_ids(token) for token in names}
    generator = torch.Generator().manual_seed(5)
    size = len(tokenizer)
    for layer in (model.model.decoder.embed_tokens, model.proj_out):
        rows = torch.randn(size, 32, generator=generator)
        layer.weight = torch.nn.Parameter(rows)
    model.config.tie_word_embeddings = False
    model.config.vocab_size = size
    settings = model.generation_config
    settings.is_multilingual = True
    settings.lang_to_id = {name: number[name] for name in ("<|en|>", "<|de|>")}
    settings.task_to_id = {name: number[f"<|{name}|>"] for name in ("translate", "transcribe")}
    settings.no_timestamps_token_id = number["<|notimestamps|>"]
    settings.prev_sot_token_id = number["<|startofprev|>"]
    settings.suppress_tokens = [*list(words.values())[-9:], number["<|startofprev|>"]]
    settings.begin_suppress_tokens = [words["Ġ"], len(words)]
    settings.alignment_heads = [[0, 1]]
    for holder in (model.config, settings):
        holder.eos_token_id = holder.bos_token_id = holder.pad_token_id = len(words)
        holder.decoder_start_token_id = number["<|startoftranscript|>"]
    model.model.decoder.embed_tokens.padding_idx = len(words)
    checkpoint.processor.tokenizer = tokenizer
    return checkpoint


def answer(model: Any, tokens: list[int]) -> torch.Tensor:
    mel = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 80, 400))).float()
    with torch.no_grad():
        logits: torch.Tensor = model(
            input_features=mel, decoder_input_ids=torch.tensor([tokens])
        ).logits
    return logits[0]


def test_numbers_in_all_settings_follow(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    checkpoint = multilingual(tiny_whisper)
    model, old = checkpoint.model, checkpoint.processor.tokenizer
    tokens = old(" turn on").input_ids
    dense = answer(model, tokens)
    before = model.generation_config.to_dict()
    kept = trim_vocabulary(checkpoint, ["turn on"])
    checkpoint.save(tmp_path)
    opened = open_checkpoint(str(tmp_path))
    new, settings = opened.processor.tokenizer, opened.model.generation_config

    trimmed = answer(opened.model, [kept.index(token) for token in tokens])
    assert torch.allclose(trimmed, dense[:, kept], atol=1e-5)
    for key in ("eos_token_id", "decoder_start_token_id", "no_timestamps_token_id"):
        assert kept[getattr(settings, key)] == before[key]
    assert opened.model.config.pad_token_id == new.pad_token_id == settings.pad_token_id
    for table in ("lang_to_id", "task_to_id"):
        assert {k: kept[n] for k, n in getattr(settings, table).items()} == before[table]
    assert settings.lang_to_id["<|de|>"] == new.convert_tokens_to_ids("<|de|>")
    assert [kept[n] for n in settings.begin_suppress_tokens] == before["begin_suppress_tokens"]
    wanted = [n for n in before["suppress_tokens"] if n in kept]
    assert [kept[n] for n in settings.suppress_tokens] == wanted
    assert len(wanted) < len(before["suppress_tokens"])
    assert settings.alignment_heads == [[0, 1]]

    first = settings.no_timestamps_token_id + 1
    assert new.convert_ids_to_tokens([first, first + 50]) == ["<|0.00|>", "<|1.00|>"]
    assert first + 200 == opened.model.config.vocab_size == len(new)
    features = torch.randn(1, 80, 400, generator=torch.Generator().manual_seed(0))
    told = opened.model.generate(
        features, language="<|de|>", task="translate", return_timestamps=True, max_new_tokens=8
    )
    assert first <= int(told.max()) < first + 200


def test_letters_have_no_vocabulary_to_trim(tiny_sew: Checkpoint) -> None:
    with pytest.raises(BadInput, match="spells in letters") as caught:
        trim_vocabulary(tiny_sew, ["turn on"])
    assert "\n" not in str(caught.value)
