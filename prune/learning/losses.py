"""What a model is told that it got wrong: the text, and how far it is from a teacher.

A family's task turns clips with texts into batches, and a model and a batch into an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from prune.checkpoint import Checkpoint
from prune.language import speech_choice
from prune.learning.augment import in_another_voice, with_patches_hidden
from speech.audio import RATE
from speech.errors import BadInput
from speech.features import LogMel, normalise_waveform

Floats = NDArray[np.float32]

#: Targets that are not to be learnt: padding, and what a decoder is told anyway.
IGNORED = -100


@dataclass(frozen=True)
class Example:
    samples: Floats
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    #: What the model's `forward` is called with.
    given: dict[str, Tensor]
    #: Tokens to answer, (clips, most tokens), padded with IGNORED.
    targets: Tensor
    #: Frames of each clip with speech, of the mel or of the CTC head.
    frames: tuple[int, ...]
    #: How long each clip is with its padding.
    seconds: float

    def piece(self, start: int, end: int) -> "Batch":
        """Some of its clips, padded as in the whole."""
        given = {name: value[start:end] for name, value in self.given.items()}
        return Batch(given, self.targets[start:end], self.frames[start:end], self.seconds)


@dataclass(frozen=True)
class Answer:
    #: Nats per token.
    loss: Tensor
    #: How many tokens that is the mean of.
    tokens: int
    #: (tokens or frames, vocabulary) in fp32.
    logits: Tensor
    #: What each block gives, of encoder and decoder in their order, in fp32, (…, width).
    states: tuple[Tensor, ...]


class Task(Protocol):
    #: Whether all clips of a batch go through the model as one group, with one loss.
    together: bool

    def example(self, samples: Floats, text: str) -> Example:
        """A clip with its text as tokens."""

    def fits(self, example: Example) -> bool:
        """Whether the model can hear and answer the whole of it."""

    def groups(self, examples: Sequence[Example]) -> list[Sequence[Example]]:
        """The same, in parts that can go through the model together."""

    def batch(self, examples: Sequence[Example], at_least: int = 0) -> Batch:
        """What the model is given for a group: padded to so many samples, where sound is padded."""

    def revoiced(self, batch: Batch) -> Batch:
        """The batch in other voices, where the model hears features that allow it."""

    def hidden(self, batch: Batch) -> Batch:
        """The batch with patches hidden by chance, where the model does not do so itself."""

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        """What the model makes of it."""


def task_for(checkpoint: Checkpoint) -> Task:
    return WhisperTask(checkpoint) if checkpoint.family == "whisper" else CtcTask(checkpoint)


def divergence(answer: Answer, teacher: Answer, temperature: float) -> Tensor:
    """Kullback and Leibler's, from the teacher, in nats per token or frame, times temperature²."""
    _refuse_unlike("logits", tuple(answer.logits.shape), tuple(teacher.logits.shape))
    said = (answer.logits / temperature).log_softmax(-1)
    taught = (teacher.logits / temperature).log_softmax(-1)
    return F.kl_div(said, taught, reduction="batchmean", log_target=True) * temperature**2


def distance(answer: Answer, teacher: Answer) -> Tensor:
    """Squared error of what the blocks give, as a share of the teacher's variance: their mean."""
    refuse_unlike_states(answer, teacher)
    shares = [
        F.mse_loss(mine, theirs) / theirs.var()
        for mine, theirs in zip(answer.states, teacher.states, strict=True)
    ]
    return torch.stack(shares).mean()


def refuse_unlike_states(answer: Answer, teacher: Answer) -> None:
    _refuse_unlike("count of blocks", len(answer.states), len(teacher.states))
    for mine, theirs in zip(answer.states, teacher.states, strict=True):
        _refuse_unlike("states", tuple(mine.shape), tuple(theirs.shape))


def _refuse_unlike(what: str, mine: object, theirs: object) -> None:
    if mine != theirs:
        raise BadInput(
            f"The teacher's {what} {theirs} cannot be compared with the model's {mine}: "
            "take the dense model itself as the teacher."
        )


class WhisperTask:
    """The decoder is fed the text and asked for each next token."""

    together = True

    def __init__(self, checkpoint: Checkpoint):
        self._tokenizer = checkpoint.processor.tokenizer
        self._features = LogMel.from_config(checkpoint.feature_settings)
        self._longest = checkpoint.model.config.max_target_positions
        self._prompt = _prompt(checkpoint)

    def example(self, samples: Floats, text: str) -> Example:
        """A clip without words is answered with the end at once."""
        words = f" {text.strip()}" if text.strip() else ""
        spoken = self._tokenizer(words, add_special_tokens=False).input_ids
        return Example(samples, (*self._prompt, *spoken, self._tokenizer.eos_token_id))

    def fits(self, example: Example) -> bool:
        """Not a clip longer than the window: its text belongs to more than one of them."""
        heard = 0 < len(example.samples) <= self._features.window_samples
        return heard and len(example.tokens) <= self._longest + 1

    def groups(self, examples: Sequence[Example]) -> list[Sequence[Example]]:
        return [examples]

    def batch(self, examples: Sequence[Example], at_least: int = 0) -> Batch:
        mel = np.stack([self._features(example.samples) for example in examples])
        tokens = _padded([example.tokens for example in examples])
        targets = tokens[:, 1:].clone()
        targets[:, : len(self._prompt) - 1] = IGNORED
        given = tokens[:, :-1].masked_fill(tokens[:, :-1] == IGNORED, self._tokenizer.eos_token_id)
        hop = self._features.hop
        frames = tuple(-(-len(example.samples) // hop) for example in examples)
        return Batch(
            {"input_features": torch.from_numpy(mel), "decoder_input_ids": given},
            targets,
            frames,
            self._features.window_seconds,
        )

    def revoiced(self, batch: Batch) -> Batch:
        mels = torch.stack([in_another_voice(mel) for mel in batch.given["input_features"]])
        return replace(batch, given=batch.given | {"input_features": mels})

    def hidden(self, batch: Batch) -> Batch:
        mels = zip(batch.given["input_features"], batch.frames, strict=True)
        patched = torch.stack([with_patches_hidden(mel, frames) for mel, frames in mels])
        return replace(batch, given=batch.given | {"input_features": patched})

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        device = next(model.parameters()).device
        given = {name: value.to(device) for name, value in batch.given.items()}
        out = model(**given, use_cache=False, output_hidden_states=True)
        targets = batch.targets.to(device)
        counts = targets != IGNORED
        logits = out.logits[counts].float()
        loss = F.cross_entropy(logits, targets[counts])
        heard = [state.float() for state in out.encoder_hidden_states[1:]]
        said = [state[counts].float() for state in out.decoder_hidden_states[1:]]
        return Answer(loss, len(logits), logits, (*heard, *said))


def _prompt(checkpoint: Checkpoint) -> list[int]:
    """What the decoder is told before the first word, as `generate` does."""
    plain: list[int] = checkpoint.processor.tokenizer("").input_ids[:-1]
    choice = speech_choice(checkpoint.model, None, None)
    if not choice:
        return plain
    settings = checkpoint.model.generation_config
    language = settings.lang_to_id[choice["language"]]
    return [plain[0], language, settings.task_to_id[choice["task"]], plain[-1]]


class CtcTask:
    """The head is asked for the text's letters in their order, whenever they come.

    Clips go through one at a time where the model has group norm, which would hear padding; a
    model with layer norm that was trained with an attention mask gets them together.
    """

    def __init__(self, checkpoint: Checkpoint):
        self._tokenizer = checkpoint.processor.tokenizer
        self._normalises = checkpoint.feature_settings.get("do_normalize", True)
        self._config = checkpoint.model.config
        self.together = _pads_well(checkpoint)

    def example(self, samples: Floats, text: str) -> Example:
        """Spelt in the case that the vocabulary has; signs that it has not are left out."""
        unknown = self._tokenizer.unk_token_id
        plain = " ".join(text.split())
        spelt = [self._tokenizer(t).input_ids for t in (plain, plain.upper(), plain.lower())]
        best = min(spelt, key=lambda ids: ids.count(unknown))
        return Example(samples, tuple(letter for letter in best if letter != unknown))

    def fits(self, example: Example) -> bool:
        """CTC needs a frame a letter, and one more between equal letters."""
        letters = example.tokens
        doubled = sum(a == b for a, b in pairwise(letters))
        return self._frames(len(example.samples)) >= max(1, len(letters) + doubled)

    def groups(self, examples: Sequence[Example]) -> list[Sequence[Example]]:
        return [examples] if self.together else [[example] for example in examples]

    def batch(self, examples: Sequence[Example], at_least: int = 0) -> Batch:
        clips = [
            torch.from_numpy(normalise_waveform(e.samples) if self._normalises else e.samples)
            for e in examples
        ]
        given = {"input_values": _in_rows(clips, at_least)}
        if self.together:
            ones = [torch.ones(len(clip), dtype=torch.long) for clip in clips]
            given["attention_mask"] = _in_rows(ones, at_least)
        frames = tuple(self._frames(len(clip)) for clip in clips)
        seconds = given["input_values"].shape[1] / RATE
        return Batch(given, _padded([e.tokens for e in examples]), frames, seconds)

    def revoiced(self, batch: Batch) -> Batch:
        """As it is: formants cannot be moved in a waveform so cheaply."""
        return batch

    def hidden(self, batch: Batch) -> Batch:
        """As it is: these models hide stretches of their own features while they learn."""
        return batch

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        device = next(model.parameters()).device
        given = {name: value.to(device) for name, value in batch.given.items()}
        out = model(**given, output_hidden_states=True)
        logits = out.logits.float()
        targets = batch.targets.to(device)
        lengths = (targets != IGNORED).sum(1)
        most = logits.shape[1]
        frames = [min(most, n) for n in batch.frames] if self.together else [most]
        # torch has no CTC for an Apple GPU.
        where = torch.device("cpu") if device.type == "mps" else device
        losses = F.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1).to(where),
            targets.clamp_min(0).to(where),
            torch.tensor(frames),
            lengths.cpu(),
            blank=self._config.pad_token_id,
            reduction="none",
            zero_infinity=True,
        )
        tokens = max(1, int(lengths.sum()))
        real = torch.cat([row[:n] for row, n in zip(logits, frames, strict=True)])
        states = tuple(state.float() for state in out.hidden_states[1:])
        return Answer(losses.sum().to(device) / tokens, tokens, real, states)

    def _frames(self, samples: int) -> int:
        """What the convolutions leave of a clip."""
        for kernel, stride in zip(self._config.conv_kernel, self._config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1 if samples >= kernel else 0
        return samples


def _pads_well(checkpoint: Checkpoint) -> bool:
    by_layer = getattr(checkpoint.model.config, "feat_extract_norm", None) == "layer"
    return by_layer and bool(checkpoint.feature_settings.get("return_attention_mask"))


def _in_rows(clips: Sequence[Tensor], at_least: int) -> Tensor:
    rows = nn.utils.rnn.pad_sequence([*clips], batch_first=True)
    return F.pad(rows, (0, max(0, at_least - rows.shape[1])))


def _padded(rows: Sequence[tuple[int, ...]]) -> Tensor:
    longest = max([1, *map(len, rows)])
    return torch.tensor([[*row, *[IGNORED] * (longest - len(row))] for row in rows])
