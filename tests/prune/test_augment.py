"""Augmented speech is still that speech: as long as it should be, hidden where it may be."""

import numpy as np
import pytest
import torch

from prune.learning.augment import (
    HIDDEN_FRAMES,
    HIDDEN_MELS,
    SPEEDS,
    VOICES,
    at_another_speed,
    in_another_voice,
    with_patches_hidden,
)

RATE = 16_000


def tone(hertz: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * hertz * time).astype(np.float32)


def loudest_hertz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


def test_each_speed_comes_up_and_changes_length_and_pitch_alike() -> None:
    torch.manual_seed(0)
    found = set()
    for _ in range(60):
        played = at_another_speed(tone(1000, 1.0))
        speed = min(SPEEDS, key=lambda s: abs(s - RATE / len(played)))
        found.add(speed)
        assert played.dtype == np.float32
        assert len(played) == pytest.approx(RATE / speed, abs=2)
        assert loudest_hertz(played) == pytest.approx(1000 * speed, abs=3)
    assert found == set(SPEEDS)


def test_the_speed_that_is_chance_follows_the_seed() -> None:
    lengths = []
    for _ in range(2):
        torch.manual_seed(7)
        lengths.append([len(at_another_speed(tone(500, 0.5))) for _ in range(8)])
    assert lengths[0] == lengths[1]


def test_another_voice_moves_formants_and_nothing_else() -> None:
    torch.manual_seed(0)
    mel = torch.exp(-((torch.arange(80.0) - 40) ** 2) / 8)[:, None].expand(80, 50)
    peaks = []
    for _ in range(50):
        moved = in_another_voice(mel)
        assert moved.shape == mel.shape
        assert float(moved.max()) == pytest.approx(1, abs=0.08)
        assert torch.equal(moved, moved[:, :1].expand(80, 50)), "time was touched"
        peaks.append(int(moved[:, 0].argmax()) / 40)
    assert 1 - VOICES - 0.03 < min(peaks) < 0.95
    assert 1.05 < max(peaks) < 1 / (1 - VOICES) + 0.03


def test_a_band_and_a_stretch_are_hidden_and_nothing_else() -> None:
    torch.manual_seed(1)
    mel = torch.randn(80, 300)
    spoken = 200
    sizes = set()
    for _ in range(50):
        patched = with_patches_hidden(mel, spoken)
        hidden = patched != mel
        mels, frames = hidden.all(1) | hidden[:, :spoken].all(1), hidden.all(0)
        assert patched.shape == mel.shape
        assert torch.equal(patched[:, spoken:], mel[:, spoken:]), "silence was touched"
        assert int(mels.sum()) <= round(HIDDEN_MELS * 80)
        assert int(frames.sum()) <= round(HIDDEN_FRAMES * spoken)
        assert torch.equal(hidden[:, :spoken], mels[:, None] | frames[None, :spoken])
        assert patched[hidden].numel() == 0 or float(patched[hidden].std(correction=0)) < 1e-6
        sizes.add((int(mels.sum()), int(frames.sum())))
    assert len(sizes) > 20, "it hides the same every time"


def test_the_shortest_clip_survives() -> None:
    mel = torch.randn(80, 300)
    for _ in range(20):
        patched = with_patches_hidden(mel, 1)
        assert patched.isfinite().all()
        assert torch.equal(patched[:, 1:], mel[:, 1:])
