"""Sparsities that differ by layer have to earn it on speech; else the cut stays even."""

import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.contest import beats, is_beyond_doubt
from prune.families.selection import chosen_weights
from prune.schedule import prune
from prune.statistics import hessians
from speech.corpora import open_corpus
from tests.noise import noise


def test_what_harms_the_model_more_loses() -> None:
    checkpoint = open_checkpoint("demo-whisper")
    speech = open_corpus("demo:calibration", limit=8, seed=0)
    heard = hessians(checkpoint, speech)
    weights = chosen_weights(checkpoint.model, ["decoder.ffn"])
    before = {name: weight.clone() for name, weight in weights.items()}
    gently = {name: weight.numel() // 10 for name, weight in weights.items()}
    hard = {name: 9 * zeros for name, zeros in gently.items()}
    assert beats(checkpoint, speech, heard, weights, gently, hard)
    assert not beats(checkpoint, speech, heard, weights, hard, gently)
    assert not beats(checkpoint, speech, heard, weights, gently, gently)
    assert all(torch.equal(weights[name], before[name]) for name in weights)


@pytest.mark.parametrize(
    ("gains", "is_clear"),
    [
        ([0.9, 1.0, 1.1, 1.0], True),
        ([-0.9, -1.0, -1.1, -1.0], False),
        ([2.0, -1.0, 1.5, -0.5], False),  # 0.5 in the mean, 0.7 in doubt
        ([0.0, 0.0, 0.0], False),
        ([5.0], False),
    ],
)
def test_a_gain_counts_when_it_is_twice_its_standard_error(
    gains: list[float], is_clear: bool
) -> None:
    assert is_beyond_doubt(gains) == is_clear


def test_a_search_that_gains_nothing_clear_leaves_the_sparsities_even(
    tiny_sew: Checkpoint,
) -> None:
    clips = noise(1.25)  # of one clip nothing is clear
    prune(tiny_sew, "obs_search", 0.5, clips)
    weights = chosen_weights(tiny_sew.model)
    shares = [float((weight == 0).float().mean()) for weight in weights.values()]
    assert max(shares) - min(shares) < 0.01
