"""Proof on real audio that a bundle says what the PyTorch model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prune.checkpoint import Checkpoint
from runtime.bundle import Bundle
from runtime.ctc import CtcRecognizer
from runtime.whisper import WhisperRecognizer
from speech.errors import BadInput

Floats = NDArray[np.float32]

#: Largest difference between logits of fp32 graphs that only the order of additions explains.
TOLERANCE = 1e-3


class ExportError(BadInput):
    """The exported graphs do not say what the checkpoint says."""


@dataclass(frozen=True)
class Parity:
    """How closely onnxruntime followed PyTorch."""

    clips: int
    #: Decisions compared: tokens with their ends, or frames.
    decisions: int
    #: Decisions that differ because two logits were closer than the tolerance.
    ties: int
    #: Largest absolute difference between logits.
    largest_difference: float


@dataclass(frozen=True)
class _Clip:
    """Logits of each decision on one clip, of shape (decisions, vocabulary), and the choices."""

    expected: Floats
    found: Floats
    expected_choices: Sequence[int]
    found_choices: Sequence[int]


def check_parity(
    checkpoint: Checkpoint,
    bundle: Bundle,
    clips: Sequence[Floats],
    *,
    choice: Mapping[str, str] | None = None,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compare logits and decisions of every clip (Whisper: of its first window).

    `choice` is the language and task that the bundle was exported for. Raises ExportError with
    the figure when logits differ by more than `tolerance`, or a decision differs for another
    reason than a tie.
    """
    if checkpoint.family == "whisper":
        whisper = WhisperRecognizer(bundle)
        compared = [_whisper(checkpoint.model, whisper, clip, choice or {}) for clip in clips]
    else:
        ctc = CtcRecognizer(bundle)
        compared = [_ctc(checkpoint.model, ctc, clip) for clip in clips]
    reports = [
        _judge(clip, f"clip {i + 1} of {len(clips)}", tolerance) for i, clip in enumerate(compared)
    ]
    return Parity(
        clips=len(clips),
        decisions=sum(report.decisions for report in reports),
        ties=sum(report.ties for report in reports),
        largest_difference=max((report.largest_difference for report in reports), default=0.0),
    )


def _judge(clip: _Clip, where: str, tolerance: float) -> Parity:
    difference = float(np.abs(clip.expected - clip.found).max(initial=0.0))
    if not difference <= tolerance:
        raise ExportError(
            f"ONNX and PyTorch differ by {difference:.2g} in the logits of {where}, "
            f"more than {tolerance:g}: this export cannot be trusted, please report it."
        )
    ties = 0
    for i, (wanted, chosen) in enumerate(
        zip(clip.expected_choices, clip.found_choices, strict=True)
    ):
        if wanted == chosen:
            continue
        gap = abs(float(clip.expected[i, wanted] - clip.expected[i, chosen]))
        if gap > 2 * tolerance:
            raise ExportError(
                f"ONNX decides for token {chosen} and PyTorch for {wanted} at decision {i + 1} of "
                f"{where}, {gap:.2g} apart: this export cannot be trusted, please report it."
            )
        ties += 1
    return Parity(1, len(clip.expected_choices), ties, difference)


def _whisper(
    model: Any, recognizer: WhisperRecognizer, samples: Floats, choice: Mapping[str, str]
) -> _Clip:
    """Both sides are fed what `generate` chose, so that one tie does not hide the rest."""
    rules = recognizer.rules
    mel = recognizer.features(samples)
    chosen = _generate(model, mel, choice)
    fed = [*rules.prefix, *chosen]
    expected = _forced(model, mel, fed)[len(rules.prefix) - 1 :]
    decisions = rules.max_length - len(rules.prefix)
    if len(chosen) < decisions:
        wanted = [*chosen, rules.end[0]]
    else:
        wanted, expected = chosen, expected[: len(chosen)]

    cross, past = recognizer.encode(mel), recognizer.start()
    given, found, choices = list(rules.prefix), [], []
    for i, token in enumerate(wanted):
        logits, past = recognizer.step(given, past, cross)
        found.append(logits)
        choices.append(rules.choose(logits, first=i == 0))
        given = [token]
    return _Clip(expected, np.array(found), wanted, choices)


@torch.inference_mode()
def _generate(model: Any, mel: Floats, choice: Mapping[str, str]) -> list[int]:
    tokens = model.generate(
        _as_input(model, mel), num_beams=1, do_sample=False, return_timestamps=False, **choice
    )
    chosen: list[int] = tokens[0].tolist()
    return chosen


@torch.inference_mode()
def _forced(model: Any, mel: Floats, tokens: Sequence[int]) -> Floats:
    """Logits after each of `tokens`."""
    given = torch.tensor([list(tokens)], device=model.device)
    logits = model(input_features=_as_input(model, mel), decoder_input_ids=given).logits
    forced: Floats = logits[0].float().cpu().numpy()
    return forced


@torch.inference_mode()
def _ctc(model: Any, recognizer: CtcRecognizer, samples: Floats) -> _Clip:
    values = recognizer.prepare(samples)
    logits = model(_as_input(model, values)).logits
    expected: Floats = logits[0].float().cpu().numpy()
    found = recognizer.logits(values)
    if expected.shape != found.shape:
        raise ExportError(
            f"ONNX gives {len(found)} frames where PyTorch gives {len(expected)}: "
            "this export cannot be trusted, please report it."
        )
    return _Clip(expected, found, expected.argmax(-1).tolist(), found.argmax(-1).tolist())


def _as_input(model: Any, values: Floats) -> Any:
    """A batch of one."""
    return torch.from_numpy(values)[None].to(model.device, model.dtype)
