"""What a PyTorch checkpoint understands: its own `generate`, or its CTC head, over clips."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prune.checkpoint import Checkpoint
from prune.language import speech_choice
from speech.audio import RATE
from speech.features import LogMel, normalise_waveform
from speech.pauses import WHOLE, cut_at_pauses

Floats = NDArray[np.float32]
Progress = Callable[[int], None]


def transcribe(
    checkpoint: Checkpoint,
    clips: Iterable[Floats],
    *,
    language: str | None = None,
    batch: int = 16,
    progress: Progress | None = None,
) -> list[str]:
    """The text of every clip; `progress` gets the count of clips done so far.

    Without a `language` a multilingual Whisper guesses it for every clip, as its `generate` does.
    """
    if checkpoint.family == "whisper":
        texts = _whisper(checkpoint, clips, language, batch)
    else:
        texts = _ctc(checkpoint, clips)
    heard = []
    for text in texts:
        heard.append(text)
        if progress:
            progress(len(heard))
    return heard


@torch.inference_mode()
def _whisper(
    checkpoint: Checkpoint, clips: Iterable[Floats], language: str | None, batch: int
) -> Iterator[str]:
    """A clip longer than the window is heard window by window, the texts joined by a space."""
    features = LogMel.from_config(checkpoint.feature_settings)
    model, tokenizer = checkpoint.model, checkpoint.processor.tokenizer
    choice = speech_choice(model, language, None) if language else {}

    def hear(windows: Sequence[Floats]) -> list[str]:
        mel = torch.from_numpy(np.stack([features(window) for window in windows]))
        tokens = model.generate(mel.to(model.device), **choice)
        texts: list[str] = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]

    for group in _batches(clips, batch):
        windows = [features.windows(clip) for clip in group]
        texts = iter(hear([window for parts in windows for window in parts]))
        for parts in windows:
            yield " ".join(filter(None, [next(texts) for _ in parts]))


@torch.inference_mode()
def _ctc(checkpoint: Checkpoint, clips: Iterable[Floats]) -> Iterator[str]:
    """One clip at a time: group norm over padding would change what the model hears.

    Long clips are cut as the runtime cuts them.
    """
    model, tokenizer = checkpoint.model, checkpoint.processor.tokenizer
    normalise = checkpoint.feature_settings.get("do_normalize", True)
    for clip in clips:
        texts = []
        for piece in cut_at_pauses(clip, int(WHOLE * RATE)):
            values = normalise_waveform(piece) if normalise else piece
            logits: Any = model(torch.from_numpy(values)[None].to(model.device)).logits
            texts.append(tokenizer.decode(logits[0].argmax(-1)).strip())
        yield " ".join(filter(None, texts))


def _batches(clips: Iterable[Floats], size: int) -> Iterator[list[Floats]]:
    group: list[Floats] = []
    for clip in clips:
        group.append(clip)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
