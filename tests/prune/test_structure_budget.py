"""Who loses how much: targets are met, the cheap goes first, something always stays."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint
from prune.families.groups import Group, Heads, Neurons, groups
from prune.structure.budget import plan
from prune.structure.layers import drop_layers
from prune.structure.saliency import Removal
from prune.structure.size import size, sparsity_since
from speech.errors import BadInput
from tests.prune.slicing import cut_all

#: Weights of the smallest thing to cut, a neuron of the tiny models, against all of them: the
#: finest a target can be hit there. A real model's is below 0.1 points.
NEURON = 2 * 32


def removals(model: Any, seed: int = 0) -> dict[str, Removal]:
    """Random orders, with costs that rise and layers that differ by a factor of up to 100."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, group in groups(model).items():
        costs = torch.from_numpy(np.sort(rng.random(group.count)) * group.size)
        costs *= 10 ** rng.uniform(-2, 0)
        order = torch.from_numpy(rng.permutation(group.count))
        found[name] = Removal(order, costs)
    return found


@pytest.mark.parametrize("target", [0.02, 0.05, 0.3, 0.57, 0.81])
@pytest.mark.parametrize("seed", range(3))
def test_a_sparsity_is_hit_within_half_a_neuron(
    tiny_checkpoint: Checkpoint, target: float, seed: int
) -> None:
    model = tiny_checkpoint.model
    dense = size(model)
    if tiny_checkpoint.family == "ctc":
        target *= 0.7  # the convolutions stay
    cut_all(model, plan(model, removals(model, seed), sparsity=target))
    achieved = sparsity_since(dense, model, target).achieved
    assert abs(achieved - target) <= 0.51 * NEURON / dense.prunable
    assert min(group.count for group in groups(model).values()) >= 1


def test_layers_that_are_gone_count_towards_the_target(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    dense = size(model)
    origins = drop_layers(model, ["model.encoder.layers.1"])
    found = removals(model)
    cut_all(model, plan(model, found, sparsity=0.5, dense_weights=dense.prunable))
    achieved = sparsity_since(dense, model, 0.5, origins).achieved
    assert achieved == pytest.approx(0.5, abs=0.51 * NEURON / dense.prunable)


def test_what_cannot_be_reached_is_said_with_the_most_that_can(tiny_sew: Checkpoint) -> None:
    with pytest.raises(BadInput, match=r"sparsity 0\.97 cannot be reached .* room for 0\.6"):
        plan(tiny_sew.model, removals(tiny_sew.model), sparsity=0.97)


def lost(model: Any, kept: dict[str, list[int]], kind: type[Group]) -> Counter[str]:
    known = groups(model)
    return Counter({n: known[n].count - len(kept[n]) for n in kept if isinstance(known[n], kind)})


def test_shares_are_of_the_whole_model_and_leave_the_others_alone(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    kept = plan(model, removals(model), ffn=0.5)
    assert lost(model, kept, Neurons).total() == 0.5 * 4 * 64
    assert lost(model, kept, Heads).total() == 0
    assert len(set(lost(model, kept, Neurons).values())) > 1
    kept = plan(model, removals(model), ffn=0.25, heads=0.5)
    assert lost(model, kept, Neurons).total() == 0.25 * 4 * 64
    assert lost(model, kept, Heads).total() == 0.5 * 6 * 4


def test_the_cheap_go_first_in_the_order_of_their_layer(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    found = removals(model)
    name = "model.decoder.layers.0.fc1"
    dear = found | {name: replace(found[name], costs=1e6 * found[name].costs)}
    cheap = found | {name: replace(found[name], costs=1e-6 * found[name].costs)}
    assert len(plan(model, dear, ffn=0.4)[name]) == 64
    kept = plan(model, cheap, ffn=0.2)[name]
    assert set(kept) == set(found[name].order[51:].tolist())
    only = plan(model, cheap, ffn=0.7)[name]
    assert only == [int(found[name].order[-1])]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"sparsity": 1.0}, "sparsity 1.0 is not a share"),
        ({"ffn": -0.1}, "ffn -0.1 is not a share"),
        ({"heads": 0.9}, "heads 0.9 would take 22 of 24, but one must stay"),
        ({"sparsity": 0.5, "ffn": 0.5}, "give one or the others"),
    ],
)
def test_impossible_wishes_are_refused(
    tiny_whisper: Checkpoint, asked: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        plan(tiny_whisper.model, removals(tiny_whisper.model), **asked)
