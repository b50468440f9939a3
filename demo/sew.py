"""demo-sew: a complete `SEWForCTC` checkpoint that spells what it hears."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    SEWConfig,
    SEWForCTC,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
)

from demo.acoustics import RATE
from demo.whisper import LETTERS, WhisperLearner

SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]

BANDS = 40

#: Nats per frame between teacher and pupil, below which CTC joins in.
FOLLOWED = 0.7

#: Where the teacher's blank, space and letters stand among the symbols.
_SYMBOL_OF_LETTER = [SYMBOLS.index(s) for s in ["<pad>", *LETTERS.replace(" ", "|")]]


def build_tokenizer() -> Wav2Vec2CTCTokenizer:
    with TemporaryDirectory() as folder:
        vocab = Path(folder, "vocab.json")
        vocab.write_text(json.dumps({symbol: i for i, symbol in enumerate(SYMBOLS)}))
        return Wav2Vec2CTCTokenizer(str(vocab))


def build_model(tokenizer: Wav2Vec2CTCTokenizer) -> SEWForCTC:
    config = SEWConfig(
        vocab_size=len(SYMBOLS),
        hidden_size=144,
        num_hidden_layers=4,
        num_attention_heads=6,
        intermediate_size=576,
        squeeze_factor=2,
        conv_dim=(4 * BANDS, 128, 128),
        conv_stride=(160, 2, 1),
        conv_kernel=(400, 3, 3),
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=8,
        hidden_dropout=0.05,
        attention_dropout=0.05,
        activation_dropout=0.0,
        final_dropout=0.05,
        mask_time_prob=0.03,
        mask_time_length=5,
        layerdrop=0.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        ctc_zero_infinity=True,
    )
    model = SEWForCTC(config)
    with torch.no_grad():
        model.sew.feature_extractor.conv_layers[0].conv.weight.copy_(_filter_bank())
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    return model


def _filter_bank() -> Tensor:
    """Where the first convolution starts from: BANDS mel-spaced tones under a Hann window.

    Each in four phases, whose rectified sum follows the loudness of the band. From random filters
    SEW needs the pre-training that the real ones had.
    """
    mel = np.linspace(np.log1p(100 / 700), np.log1p(7000 / 700), BANDS)
    cycles = np.outer(700 * np.expm1(mel), np.arange(400) / RATE)
    tones = np.stack([np.cos(2 * np.pi * (cycles + phase / 4)) for phase in range(4)], axis=1)
    filters = np.hanning(400) * tones.reshape(4 * BANDS, 400)
    return torch.from_numpy(filters[:, None] / 20).float()


class SewLearner:
    """CTC, and at every frame the letter that demo-whisper's encoder hears there.

    CTC alone drives a model that knows nothing to blanks everywhere, and it stays there: it is let
    in once the teacher is being followed.
    """

    def __init__(self, tokenizer: Wav2Vec2CTCTokenizer, model: SEWForCTC, teacher: WhisperLearner):
        self.tokenizer = tokenizer
        self.module: nn.Module = model
        self.model = model
        self.teacher = teacher
        teacher.module.eval()
        self.extractor = Wav2Vec2FeatureExtractor(
            sampling_rate=RATE, do_normalize=True, return_attention_mask=False
        )

    def loss(self, clips: list[np.ndarray], texts: list[str], rng: np.random.Generator) -> Tensor:
        heard = self.extractor(clips, sampling_rate=RATE, return_tensors="pt")
        ids = [self.tokenizer(text).input_ids for text in texts]
        longest = max(map(len, ids))
        labels = torch.tensor([row + [-100] * (longest - len(row)) for row in ids])
        answer = self.model(**heard, labels=labels)
        taught = self._taught(clips)
        frames = min(answer.logits.shape[1], taught.shape[1])
        said = answer.logits[:, :frames].log_softmax(-1)
        following = -(taught[:, :frames] * said).sum(-1).mean()
        if following.item() > FOLLOWED:
            return following
        together: Tensor = 0.3 * following + answer.loss
        return together

    @torch.no_grad()
    def _taught(self, clips: list[np.ndarray]) -> Tensor:
        """The teacher's letter probabilities in this model's symbols and at its frames.

        Both give 50 frames a second; the teacher's stand 40 ms earlier.
        """
        letters = self.teacher.letters(clips)[:, 2:]
        taught = torch.zeros(*letters.shape[:2], len(SYMBOLS))
        taught[..., _SYMBOL_OF_LETTER] = letters
        return taught

    def save(self, folder: Path) -> None:
        self.model.eval().save_pretrained(folder)
        Wav2Vec2Processor(self.extractor, self.tokenizer).save_pretrained(folder)
