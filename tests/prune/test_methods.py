"""The named methods on whole models: exact counts, the right weights, nothing else touched."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prune.allocate import globally, lowest, uniformly
from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.methods import METHODS, prune
from prune.names import METHOD_SUMMARIES
from prune.statistics import hessians
from speech.errors import BadInput


def heard(checkpoint: Checkpoint, seed: int = 0) -> dict[str, torch.Tensor]:
    """Hessians on a few clips of noise."""
    rng = np.random.default_rng(seed)
    clips = [rng.standard_normal(n).astype(np.float32) / 5 for n in (20_000, 32_000, 48_000)]
    return hessians(checkpoint, [(clip, "turn on the lights") for clip in clips])


def test_every_named_method_has_a_row_and_a_summary() -> None:
    assert set(METHODS) == set(METHOD_SUMMARIES)


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=40),
    st.floats(0, 1),
)
@settings(deadline=None)
def test_exactly_the_lowest_go_even_among_ties(values: list[float], share: float) -> None:
    scores = torch.tensor(values)
    count = round(share * len(values))
    keep = lowest(scores, count)
    assert int((~keep).sum()) == count
    if 0 < count < len(values):
        assert scores[~keep].max() <= scores[keep].min()


def test_globally_takes_from_the_layer_with_the_small_weights() -> None:
    scores = {"small": torch.full((2, 5), 0.1), "large": torch.full((3, 10), 1.0)}
    masks = globally(scores, 0.25)
    assert not masks["small"].any()
    assert masks["large"].all()
    assert {name: int((~mask).sum()) for name, mask in uniformly(scores, 0.2).items()} == {
        "small": 2,
        "large": 6,
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_target_is_hit_and_only_prunable_weights_change(
    tiny_checkpoint: Checkpoint, method: str, sparsity: float
) -> None:
    model = tiny_checkpoint.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    achieved = prune(model, method, sparsity, heard(tiny_checkpoint))
    assert achieved.achieved == pytest.approx(sparsity, abs=0.001)
    prunable = {f"{name}.weight" for name in prunable_layers(model)}
    for name, value in model.state_dict().items():
        if name not in prunable or sparsity == 0:
            assert torch.equal(value, before[name]), name
        elif method != "obs":
            kept = value != 0
            assert torch.equal(value[kept], before[name][kept]), name


def test_zeros_that_were_there_stay_and_count(tiny_checkpoint: Checkpoint) -> None:
    model = tiny_checkpoint.model
    prune(model, "mp_global", 0.4)
    first = {name: value == 0 for name, value in model.state_dict().items()}
    achieved = prune(model, "mp_global", 0.6)
    assert achieved.achieved == pytest.approx(0.6, abs=0.001)
    for name, value in model.state_dict().items():
        assert (value[first[name]] == 0).all()


def test_impossible_sparsity_and_unknown_method_are_named(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(BadInput, match=r"sparsity 1\.5 is not between 0 and 1"):
        prune(tiny_checkpoint.model, "mp_global", 1.5)
    with pytest.raises(BadInput, match="did you mean 'mp_global'"):
        prune(tiny_checkpoint.model, "mp_globl", 0.5)
