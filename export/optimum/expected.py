"""What PyTorch makes of a clip: the measure of an export in optimum's layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.decoding import whisper_rules
from prune.checkpoint import Checkpoint
from speech.features import LogMel, normalise_waveform

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Expected:
    """Greedy answers to one clip; of a clip longer than Whisper's window, to the first window."""

    #: Log-mel or waveform, a batch of one.
    given: Floats
    #: Tokens without prefix and end, or the likeliest symbol of every frame.
    choices: list[int]
    text: str
    #: What the decoder was fed: the prefix, then the choices. Empty for CTC models.
    fed: list[int]
    #: How many of those are the prefix.
    prefix: int
    #: After each of those, or of each frame: (positions, words).
    logits: Floats


@torch.inference_mode()
def expected_of(checkpoint: Checkpoint, clip: Floats, choice: Mapping[str, str]) -> Expected:
    """`choice` is language and task of a multilingual Whisper."""
    if checkpoint.family == "whisper":
        return _whisper(checkpoint, clip, choice)
    normalise = checkpoint.feature_settings.get("do_normalize", True)
    given = (normalise_waveform(clip) if normalise else clip)[None]
    logits: Any = checkpoint.model(torch.from_numpy(given)).logits[0]
    choices = logits.argmax(-1).tolist()
    text = checkpoint.processor.tokenizer.decode(choices)
    return Expected(given, choices, text, [], 0, logits.numpy())


def _whisper(checkpoint: Checkpoint, clip: Floats, choice: Mapping[str, str]) -> Expected:
    model = checkpoint.model
    given = LogMel.from_config(checkpoint.feature_settings)(clip)[None]
    heard = torch.from_numpy(given)
    choices = model.generate(
        heard, num_beams=1, do_sample=False, return_timestamps=False, **choice
    )[0].tolist()
    text = checkpoint.processor.tokenizer.decode(choices, skip_special_tokens=True)
    prefix = whisper_rules(model, choice).prefix
    fed = [*prefix, *choices]
    logits = model(input_features=heard, decoder_input_ids=torch.tensor([fed])).logits[0]
    return Expected(given, choices, text, fed, len(prefix), logits.numpy())
