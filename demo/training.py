"""One training loop for both demo models: seeded by step, so that it resumes where it stopped."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from demo.acoustics import RATE, coloured_noise, record
from demo.clips import WINDOW_SECONDS, Pool

SILENT_SHARE = 0.03


@dataclass(frozen=True)
class Plan:
    steps: int
    batch: int
    peak_rate: float
    warm_up: int
    seed: int = 1
    save_every: int = 250

    def rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to 1 % of the peak."""
        if step < self.warm_up:
            return self.peak_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


class Learner(Protocol):
    """What differs between the models."""

    module: nn.Module

    def loss(self, clips: list[np.ndarray], texts: list[str], rng: np.random.Generator) -> Tensor:
        """Mean loss of a batch of recorded clips."""


def recorded_batch(
    pool: Pool, size: int, rng: np.random.Generator, seconds: float | None
) -> tuple[list[np.ndarray], list[str]]:
    """Random utterances, each in a room and noise of its own; a few are silence with no words.

    All clips of a batch are equally long: `seconds`, or just enough for utterances of like length.
    """
    if seconds is None:
        chosen = pool.of_like_length(size, rng)
        spoken = max(map(pool.seconds, chosen))
        seconds = min(WINDOW_SECONDS, spoken + rng.uniform(0.2, 0.6))
    else:
        chosen = rng.integers(0, len(pool), size).tolist()
    clips, texts = [], []
    for i in chosen:
        if rng.random() < SILENT_SHARE:
            noise = coloured_noise(int(seconds * RATE), rng.choice([0.0, 1.0, 2.0]), rng)
            clips.append(noise * np.float32(10 ** rng.uniform(-4, -1.3)))
            texts.append("")
        else:
            clips.append(record(pool.utterance(i), rng, seconds=seconds))
            texts.append(pool.texts[i])
    return clips, texts


def train(
    learner: Learner,
    plan: Plan,
    pool: Pool,
    checkpoint: Path,
    *,
    seconds: float | None = None,
    report: Callable[[int, float], None],
) -> Iterator[int]:
    """Train to the end of `plan`, yielding after every save; goes on from `checkpoint`."""
    module = learner.module
    matrices = [p for p in module.parameters() if p.ndim > 1]
    vectors = [p for p in module.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.peak_rate, betas=(0.9, 0.98))
    start = 0
    with suppress(FileNotFoundError):
        state = torch.load(checkpoint, weights_only=True)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    for step in range(start, plan.steps):
        rng = np.random.default_rng((plan.seed, step))
        torch.manual_seed(plan.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        module.train()
        clips, texts = recorded_batch(pool, plan.batch, rng, seconds)
        loss = learner.loss(clips, texts, rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        report(step + 1, loss.item())
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
            beside = checkpoint.with_suffix(".part")
            torch.save(state | {"step": step + 1}, beside)
            beside.rename(checkpoint)
            yield step + 1
