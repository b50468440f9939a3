"""demo-whisper: a complete English-only Whisper checkpoint with a window of three seconds."""

import json
import random
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from demo.clips import WINDOW_SECONDS
from demo.grammar import sentence
from speech.features import LogMel

END, START, PREVIOUS, SILENCE, NO_TIMESTAMPS = SPECIALS = (
    "<|endoftext|>", "<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>",
    "<|notimestamps|>",
)  # fmt: skip

LETTERS = " abcdefghijklmnopqrstuvwxyz"
MERGES = 100


def build_tokenizer(seed: int = 0) -> WhisperTokenizer:
    """Byte-level BPE learnt from the grammar: 256 bytes, the merges, then Whisper's specials."""
    r = random.Random(seed)
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + MERGES,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learnt.train_from_iterator((" " + sentence(r) for _ in range(20_000)), trainer)
    merges = json.loads(learnt.to_str())["model"]["merges"]
    vocab = learnt.get_vocab() | {END: learnt.get_vocab_size()}
    return WhisperTokenizer(
        vocab=vocab,
        merges=[tuple(pair) for pair in merges],
        pad_token=END,
        additional_special_tokens=list(SPECIALS[1:]),
    )


def build_model(tokenizer: WhisperTokenizer) -> WhisperForConditionalGeneration:
    end, start, previous, silence, no_timestamps = tokenizer.convert_tokens_to_ids(list(SPECIALS))
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=144,
        encoder_layers=3,
        encoder_attention_heads=6,
        encoder_ffn_dim=576,
        decoder_layers=2,
        decoder_attention_heads=6,
        decoder_ffn_dim=576,
        max_source_positions=int(WINDOW_SECONDS * 50),
        max_target_positions=48,
        dropout=0.1,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        max_length=48,
        return_timestamps=False,
        is_multilingual=False,
        no_timestamps_token_id=no_timestamps,
        prev_sot_token_id=previous,
        suppress_tokens=[start, previous, silence, no_timestamps],
    )
    return model


class WhisperLearner:
    """Attention decoder and, while learning, a CTC head on the encoder that teaches alignment."""

    def __init__(self, tokenizer: WhisperTokenizer, model: WhisperForConditionalGeneration):
        self.tokenizer = tokenizer
        self.model = model
        self.ctc_head = nn.Linear(model.config.d_model, len(LETTERS) + 1)
        self.module = nn.ModuleList([model, self.ctc_head])
        self.features = LogMel(window_seconds=WINDOW_SECONDS)

    def loss(self, clips: list[np.ndarray], texts: list[str], rng: np.random.Generator) -> Tensor:
        mel = np.stack([_hide_patches(self.features(clip), rng) for clip in clips])
        heard = self.model.model.encoder(torch.from_numpy(mel)).last_hidden_state
        ids = [self.tokenizer(f" {text}" if text else "").input_ids for text in texts]
        longest = max(map(len, ids))
        pad = self.tokenizer.pad_token_id
        inputs = torch.tensor([row + [pad] * (longest - len(row)) for row in ids])
        labels = torch.tensor([row + [-100] * (longest - len(row)) for row in ids])
        hidden = self.model.model.decoder(
            input_ids=inputs[:, :-1], encoder_hidden_states=heard
        ).last_hidden_state
        logits = self.model.proj_out(hidden)
        attention = F.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=0.05
        )
        return attention + 0.5 * self._ctc(heard, texts)

    def letters(self, clips: list[np.ndarray]) -> Tensor:
        """Probabilities of blank, space and each letter, 50 frames a second, over the window."""
        mel = torch.from_numpy(np.stack([self.features(clip) for clip in clips]))
        heard = self.model.model.encoder(mel).last_hidden_state
        probabilities: Tensor = self.ctc_head(heard).softmax(-1)
        return probabilities

    def _ctc(self, heard: Tensor, texts: list[str]) -> Tensor:
        scores = self.ctc_head(heard).log_softmax(-1).transpose(0, 1)
        targets = torch.tensor([LETTERS.index(letter) + 1 for text in texts for letter in text])
        lengths = torch.tensor([len(text) for text in texts])
        frames = torch.full((len(texts),), len(scores))
        return F.ctc_loss(scores, targets, frames, lengths, zero_infinity=True)

    def save(self, folder: Path) -> None:
        """Everything `from_pretrained` and the processor need, without the CTC head."""
        extractor = WhisperFeatureExtractor(chunk_length=int(WINDOW_SECONDS))
        self.model.eval().save_pretrained(folder)
        WhisperProcessor(extractor, self.tokenizer).save_pretrained(folder)


def _hide_patches(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light SpecAugment: one band of up to 12 mels and one stretch of up to 20 frames."""
    mel = mel.copy()
    band, stretch = rng.integers(0, 13), rng.integers(0, 21)
    low, left = rng.integers(0, mel.shape[0] - band), rng.integers(0, mel.shape[1] - stretch)
    mel[low : low + band] = mel.mean()
    mel[:, left : left + stretch] = mel.mean()
    return mel
