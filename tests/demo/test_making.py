"""The makers of the demo: what is said, how it is spoken, and training that can be cut off."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from demo.acoustics import RATE, record
from demo.clips import Pool, write_clips
from demo.grammar import number, sentence
from demo.training import Plan, train
from speech.corpora import open_corpus


def test_numbers_are_spelt() -> None:
    spelt = [number(n) for n in (0, 7, 12, 20, 41, 99)]
    assert spelt == ["zero", "seven", "twelve", "twenty", "forty one", "ninety nine"]


def test_sentences_vary_and_are_seeded() -> None:
    def said(seed: int) -> list[str]:
        r = random.Random(seed)
        return [sentence(r) for _ in range(300)]

    assert said(1) == said(1) != said(2)
    assert len(set(said(1))) > 200
    assert all(text == text.lower().strip() for text in said(1))


def test_a_recording_has_the_length_asked_for_and_never_clips() -> None:
    spoken = np.sin(np.arange(RATE) / 9).astype(np.float32)
    for seed in range(20):
        clip = record(spoken, np.random.default_rng(seed), seconds=2.5)
        assert len(clip) == 2.5 * RATE
        assert np.abs(clip).max() <= 0.5


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_clips_are_spoken_into_a_corpus_that_opens(tmp_path: Path) -> None:
    write_clips(tmp_path / "clips", 3, seed=5, unheard=True)
    corpus = open_corpus(str(tmp_path / "clips"))
    assert len(corpus) == 3
    for clip in corpus.clips:
        samples = clip.samples()
        assert 0.2 * RATE < len(samples) <= 3.4 * RATE
        assert samples.std() > 0.001


class _Averager:
    """Learns something from every batch, so that a skipped or repeated one would show."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.module: nn.Module = nn.Linear(4, 1)

    def loss(self, clips: list[np.ndarray], texts: list[str], rng: np.random.Generator) -> Tensor:
        heard = torch.tensor([[clip.mean(), clip.std(), clip.max(), len(t)] for clip, t in
                              zip(clips, texts, strict=True)])  # fmt: skip
        noisy: Tensor = self.module(heard).square().mean() + rng.normal() * self.module.weight.sum()
        return noisy


def test_training_cut_off_in_the_middle_ends_with_the_same_weights(tmp_path: Path) -> None:
    spoken = np.random.default_rng(0).integers(-9000, 9000, 3 * 8000).astype(np.int16)
    pool = Pool(spoken, np.array([0, 8000, 16_000, 24_000]), ["one", "two", "three"])
    plan = Plan(steps=6, batch=2, peak_rate=0.1, warm_up=2, save_every=2)

    def trained(checkpoint: Path, *, cut: bool) -> Tensor:
        for _ in range(2):
            learner = _Averager()
            for step in train(learner, plan, pool, checkpoint, report=lambda *_: None):
                if cut and step == 4:
                    break
            cut = False
        return learner.module.weight.detach()

    whole = trained(tmp_path / "whole.pt", cut=False)
    resumed = trained(tmp_path / "cut.pt", cut=True)
    assert torch.equal(whole, resumed)
