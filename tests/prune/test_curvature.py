"""Hutchinson's traces: those that brute force finds, and a CTC loss that bends."""

import statistics
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from prune.allocation.curvature import linear_trace
from prune.checkpoint import open_checkpoint
from prune.curvature import _loss, block_traces, hessian_traces
from prune.families.layers import prunable_layers
from prune.learning.ctc_loss import ctc_loss
from prune.learning.losses import task_for
from prune.options import Options
from prune.schedule import prune
from tests.noise import noise

CLIPS = noise(0.5, 0.75)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exact_trace(loss: Tensor, weight: Tensor) -> float:
    """Row by row of the Hessian."""
    (slope,) = torch.autograd.grad(loss, weight, create_graph=True)
    total = 0.0
    for place, entry in enumerate(slope.flatten()):
        (row,) = torch.autograd.grad(entry, weight, retain_graph=True)
        total += float(row.flatten()[place])
    return total


def test_a_linear_layer_has_the_trace_of_the_closed_form() -> None:
    generator = seeded(0)
    inputs = torch.randn(12, 12, generator=generator) @ torch.randn(12, 500, generator=generator)
    target = torch.randn(7, 12, generator=generator)
    exact = linear_trace(inputs @ inputs.T / 500, outputs=7)
    weight = torch.zeros(7, 12, requires_grad=True)

    def estimate(seed: int) -> float:
        loss = ((weight - target) @ inputs).square().sum() / (2 * inputs.shape[1])
        return float(block_traces(loss, [weight], samples=400, generator=seeded(seed)))

    estimates = [estimate(seed) for seed in range(3)]
    assert estimates == pytest.approx([exact] * 3, rel=0.05)
    assert len(set(estimates)) == 3
    assert estimates[0] == estimate(0)


def test_blocks_are_told_apart_and_a_flat_one_has_none() -> None:
    """Exact for diagonal blocks; what couples two of them adds noise of mean zero."""
    one = torch.tensor([1.0, 2.0], requires_grad=True)
    two = torch.tensor([[3.0], [4.0]], requires_grad=True)
    flat = torch.tensor([5.0], requires_grad=True)
    unused = torch.tensor([6.0], requires_grad=True)
    weights = [one, two, flat, unused]
    apart = (one**2).sum() + 5 * (two**2).sum() + flat.sum()
    found = block_traces(apart, weights, samples=1, generator=seeded(3))
    assert found.tolist() == [4.0, 20.0, 0.0, 0.0]
    found = block_traces(apart + one @ two[:, 0], weights, samples=4000, generator=seeded(3))
    assert found.tolist() == pytest.approx([4.0, 20.0, 0.0, 0.0], abs=0.1)
    straight = block_traces(flat.sum(), [flat], samples=2, generator=seeded(0))
    assert straight.tolist() == [0.0]


@pytest.mark.long
@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("whisper", "model.decoder.layers.0.self_attn.v_proj"),
        ("sew", "sew.feature_extractor.conv_layers.0.conv"),
    ],
)
def test_the_estimate_agrees_with_the_exact_trace_of_the_model_s_loss(
    tiny_folders: dict[str, Path], family: str, name: str
) -> None:
    checkpoint = open_checkpoint(str(tiny_folders[family]))
    clip = CLIPS[:1]
    task, weight = task_for(checkpoint), prunable_layers(checkpoint.model)[name].weight
    batch = task.batch([task.example(*clip[0])])
    loss = _loss(checkpoint, task, batch)
    told = task.answer(checkpoint.model, batch).loss
    assert loss.item() == pytest.approx(told.item(), rel=1e-5)
    exact = exact_trace(loss, weight)
    found = [hessian_traces(checkpoint, clip, samples=16, seed=s)[name] for s in range(16)]
    spread = statistics.stdev(found) / len(found) ** 0.5
    assert spread < 0.25 * abs(exact)
    assert abs(statistics.mean(found) - exact) < 3 * spread


def test_same_seed_same_bits_and_the_mean_of_the_clips(tiny_folders: dict[str, Path]) -> None:
    checkpoint = open_checkpoint(str(tiny_folders["wav2vec2"]))
    layers = prunable_layers(checkpoint.model)
    frozen = next(iter(layers.values())).weight.requires_grad_(False)
    seen: list[tuple[str, int, int]] = []

    def report(*news: str | int) -> None:
        seen.append(news)  # type: ignore[arg-type]

    one = hessian_traces(checkpoint, CLIPS, samples=2, seed=7, report=report)
    assert one == hessian_traces(checkpoint, CLIPS, samples=2, seed=7)
    assert one != hessian_traces(checkpoint, CLIPS, samples=2, seed=8)
    assert one.keys() == layers.keys()
    assert seen[-1] == ("curvature of the layers", 2, 2)
    assert not frozen.requires_grad
    assert all(weight.grad is None for weight in checkpoint.model.parameters())
    twice = hessian_traces(checkpoint, [CLIPS[0], CLIPS[0]], samples=1, seed=7)
    alone = hessian_traces(checkpoint, CLIPS[:1], samples=2, seed=7)
    assert twice == pytest.approx(alone, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("family", ["whisper", "sew", "wav2vec2"])
def test_mp_trace_hits_its_target_by_another_way(
    tiny_folders: dict[str, Path], family: str
) -> None:
    shares = []
    for directions in (0, 4, 4):
        checkpoint = open_checkpoint(str(tiny_folders[family]))
        options = Options(hutchinson=directions, alpha=0.4)
        sparsity = prune(checkpoint, "mp_trace", 0.5, CLIPS, options=options).sparsity
        assert sparsity.achieved == pytest.approx(0.5, abs=0.001)
        shares.append(sparsity.layers)
    assert shares[0] != shares[1] == shares[2]


@pytest.mark.parametrize("letters", [[], [3], [1, 2, 2, 4], [2, 2, 2], [4, 1, 3, 1, 4]])
def test_ctc_loss_is_torch_s_own_with_a_second_derivative(letters: list[int]) -> None:
    doubled = sum(a == b for a, b in pairwise(letters))
    for frames in (max(1, len(letters) + doubled), 9):
        logits = torch.randn(frames, 5, generator=seeded(frames), dtype=torch.float64)
        logits.requires_grad_()
        told = torch.tensor(letters, dtype=torch.long)
        mine = ctc_loss(logits, told, blank=0)
        lengths = torch.tensor(frames), torch.tensor(len(letters))
        theirs = F.ctc_loss(logits.log_softmax(-1), told, *lengths, blank=0, reduction="sum")
        assert mine.item() == pytest.approx(theirs.item(), rel=1e-9)
        slopes = [torch.autograd.grad(loss, logits)[0] for loss in (mine, theirs)]
        assert torch.allclose(*slopes, atol=1e-9)
        assert torch.autograd.gradgradcheck(lambda x, told=told: ctc_loss(x, told, blank=0), logits)
