"""An export that says something else than the checkpoint is refused, with the figure."""

import copy
import dataclasses
from typing import Any

import pytest
import torch

from export.parity import ExportError, check_parity
from prune.checkpoint import Checkpoint
from runtime.bundle import Bundle
from runtime.whisper import WhisperRecognizer
from tests.export.exported import noise, sew, sew_d, wav2vec2, whisper

CLIPS = [noise(seed, 1.0 + seed) for seed in range(3)]


@pytest.mark.parametrize("family", [whisper, sew, sew_d, wav2vec2])
def test_a_sound_export_agrees(family: Any) -> None:
    checkpoint, bundle = family()
    report = check_parity(checkpoint, bundle, CLIPS)
    assert report.clips == 3 and report.decisions > 30 and report.ties == 0
    assert 0 < report.largest_difference < 1e-4


def test_without_clips_nothing_is_compared() -> None:
    checkpoint, bundle = sew()
    assert check_parity(checkpoint, bundle, []).decisions == 0


def turned_up(checkpoint: Checkpoint, factor: float) -> Checkpoint:
    """Every weight of the second layers multiplied."""
    model = copy.deepcopy(checkpoint.model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layers.1." in name:
                weight.mul_(factor)
    return dataclasses.replace(checkpoint, model=model)


@pytest.mark.parametrize("family", [whisper, sew])
def test_other_weights_are_found_out(family: Any) -> None:
    checkpoint, bundle = family()
    with pytest.raises(ExportError, match=r"differ by \d\S* in the logits of clip 1 of 3"):
        check_parity(turned_up(checkpoint, 1.01), bundle, CLIPS)


def test_the_tolerance_is_kept() -> None:
    checkpoint, bundle = sew()
    difference = check_parity(checkpoint, bundle, CLIPS).largest_difference
    with pytest.raises(ExportError, match="more than"):
        check_parity(checkpoint, bundle, CLIPS, tolerance=difference / 2)


def test_not_a_number_is_no_agreement() -> None:
    checkpoint, bundle = sew()
    with pytest.raises(ExportError, match="nan"):
        check_parity(turned_up(checkpoint, float("nan")), bundle, CLIPS)


def with_rules(bundle: Bundle, **changed: Any) -> Bundle:
    decoding = dataclasses.replace(bundle.manifest.decoding, **changed)
    return Bundle(bundle.folder, dataclasses.replace(bundle.manifest, decoding=decoding))


def test_other_rules_are_found_out() -> None:
    checkpoint, bundle = whisper()
    mel = WhisperRecognizer(bundle).features(CLIPS[0])
    said = checkpoint.model.generate(torch.from_numpy(mel)[None])[0].tolist()
    with pytest.raises(ExportError, match=r"ONNX decides for token \d+ and PyTorch for \d+"):
        check_parity(checkpoint, with_rules(bundle, suppress=said), CLIPS)


def test_another_length_is_found_out() -> None:
    checkpoint, bundle = whisper()
    longer = with_rules(bundle, max_length=24)
    with pytest.raises(ExportError):
        check_parity(checkpoint, longer, CLIPS)
