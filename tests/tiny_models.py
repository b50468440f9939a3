"""Complete checkpoints of a few thousand random weights: mechanics without training."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PreTrainedConfig,
    SEWConfig,
    SEWDConfig,
    SEWDForCTC,
    SEWForCTC,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

WINDOW_SECONDS = 4
SPECIALS = ["<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
#: Besides those, of a model that knows more than one language.
LANGUAGES = ["<|en|>", "<|de|>"]
TASKS = ["<|transcribe|>", "<|translate|>"]
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]


#: What all tiny CTC models have in common.
CTC_SHAPE = {
    "vocab_size": len(LETTERS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 24),
    "conv_stride": (10, 8, 4),
    "conv_kernel": (20, 10, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "pad_token_id": 0,
}


def _whisper_tokenizer(specials: list[str]) -> WhisperTokenizer:
    """256 bytes, some merges, the end of text and the specials."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=295,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learnt.train_from_iterator([" turn on the kitchen lights and the radio now"] * 9, trainer)
    return WhisperTokenizer(
        vocab=learnt.get_vocab() | {"<|endoftext|>": learnt.get_vocab_size()},
        merges=[tuple(pair) for pair in json.loads(learnt.to_str())["model"]["merges"]],
        pad_token="<|endoftext|>",
        additional_special_tokens=specials,
    )


def _louder(model: torch.nn.Module, seed: int) -> None:
    """Random weights large enough that what is heard depends on the clip."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.25)


def write_whisper(folder: Path, seed: int = 0, *, multilingual: bool = False) -> None:
    """English-only Whisper, or one that also knows German: two layers a side, a 4 s window."""
    tokenizer = _whisper_tokenizer(SPECIALS + (LANGUAGES + TASKS if multilingual else []))
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    start, previous, silence, plain = tokenizer.convert_tokens_to_ids(SPECIALS)
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=50 * WINDOW_SECONDS,
        max_target_positions=24,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    _louder(model, seed)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        max_length=20,
        return_timestamps=False,
        is_multilingual=False,
        no_timestamps_token_id=plain,
        prev_sot_token_id=previous,
        suppress_tokens=[start, previous, silence, plain],
        begin_suppress_tokens=[end],
    )
    if multilingual:
        _speak_languages(model.generation_config, tokenizer)
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(chunk_length=WINDOW_SECONDS)
    WhisperProcessor(extractor, tokenizer).save_pretrained(folder)


def _speak_languages(settings: GenerationConfig, tokenizer: WhisperTokenizer) -> None:
    """The entries by which `generate` knows a multilingual model."""
    token = tokenizer.convert_tokens_to_ids
    settings.is_multilingual = True
    settings.lang_to_id = {language: token(language) for language in LANGUAGES}
    settings.task_to_id = {task.strip("<|>"): token(task) for task in TASKS}
    settings.suppress_tokens = [*settings.suppress_tokens, *map(token, LANGUAGES + TASKS)]


def write_sew(folder: Path, seed: int = 0) -> None:
    _write_ctc(folder, SEWForCTC, SEWConfig(**CTC_SHAPE), seed)


def write_sew_d(folder: Path, seed: int = 0) -> None:
    """SEW with disentangled attention over relative positions."""
    _write_ctc(folder, SEWDForCTC, SEWDConfig(**CTC_SHAPE, position_buckets=8), seed)


def write_wav2vec2(folder: Path, seed: int = 0, *, large: bool = False) -> None:
    """As the base model is built, or as the large ones are: layer norms everywhere, and first."""
    norm = "layer" if large else "group"
    config = Wav2Vec2Config(**CTC_SHAPE, feat_extract_norm=norm, do_stable_layer_norm=large)
    _write_ctc(folder, Wav2Vec2ForCTC, config, seed)


def _write_ctc(folder: Path, kind: Any, config: PreTrainedConfig, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocab))
    torch.manual_seed(seed)
    model = kind(config)
    _louder(model, seed)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
