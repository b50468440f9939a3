"""Complete checkpoints of a few thousand random weights: mechanics without training."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    SEWConfig,
    SEWForCTC,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

WINDOW_SECONDS = 4
SPECIALS = ["<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]


def _whisper_tokenizer() -> WhisperTokenizer:
    """300 entries: 256 bytes, some merges, the specials."""
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
        additional_special_tokens=SPECIALS,
    )


def _louder(model: torch.nn.Module, seed: int) -> None:
    """Random weights large enough that what is heard depends on the clip."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.25)


def write_whisper(folder: Path, seed: int = 0) -> None:
    """English-only Whisper: two layers a side, a 4 s window, 300 tokens."""
    tokenizer = _whisper_tokenizer()
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
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(chunk_length=WINDOW_SECONDS)
    WhisperProcessor(extractor, tokenizer).save_pretrained(folder)


def write_sew(folder: Path, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocab))
    config = SEWConfig(
        vocab_size=len(LETTERS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16, 16, 24),
        conv_stride=(10, 8, 4),
        conv_kernel=(20, 10, 4),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    model = SEWForCTC(config)
    _louder(model, seed)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
