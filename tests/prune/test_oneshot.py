"""The named methods on whole models: exact counts, the right weights, nothing else touched."""

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint
from prune.families.layers import prunable_layers
from prune.methods import METHODS
from prune.options import Options
from prune.schedule import prune
from prune.training_plan import FineTuning
from speech.errors import BadInput
from tests.noise import Spoken, noise

#: Methods that leave the weights alone that they do not cut.
ONE_SHOT = [name for name, method in METHODS.items() if not method.fine_tunes]
UNSLICED = [name for name in ONE_SHOT if METHODS[name].structure == "unstructured"]
SHORT = FineTuning(steps=4, batch=2, warm_up=1, check_every=4, held_out=0.3)


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    """A few clips of noise with a text."""
    return noise(1.25, 2, 3)


@pytest.mark.long_but("0.77")
@pytest.mark.parametrize("method", UNSLICED)
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.77, 1.0])
def test_target_is_hit_and_only_prunable_weights_change(
    tiny_checkpoint: Checkpoint, spoken: Spoken, method: str, sparsity: float
) -> None:
    model = tiny_checkpoint.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    options = Options(shares={"encoder.ffn": sparsity}, fine_tuning=SHORT)
    achieved = prune(tiny_checkpoint, method, sparsity, spoken, options=options).sparsity
    assert achieved.achieved == pytest.approx(sparsity, abs=0.001)
    prunable = {f"{name}.weight" for name in prunable_layers(model)}
    for name, value in model.state_dict().items():
        if name not in prunable or sparsity == 0:
            assert torch.equal(value, before[name]), name
        elif METHODS[method].score != "obs":
            kept = value != 0
            assert torch.equal(value[kept], before[name][kept]), name


@pytest.mark.long_but("whisper")
@pytest.mark.parametrize("method", ["nm_obs", *(m for m in METHODS if METHODS[m].fine_tunes)])
def test_patterns_and_schedules_hit_the_target_too(
    tiny_checkpoint: Checkpoint, spoken: Spoken, method: str
) -> None:
    sparsity = 0.0 if METHODS[method].schedule == "learn" else 0.5
    if METHODS[method].structure == "heads and neurons":
        sparsity = 0.3
    options = Options(step=0.25, fine_tuning=SHORT)
    achieved = prune(tiny_checkpoint, method, sparsity, spoken, options=options).sparsity
    assert achieved.achieved == pytest.approx(sparsity, abs=0.005 if sparsity == 0.3 else 0.001)


@pytest.mark.parametrize("method", ["mp_global", "wanda", "obs", "obs_search", "nm_obs"])
def test_zeros_that_were_there_stay_and_count(
    tiny_checkpoint: Checkpoint, spoken: Spoken, method: str
) -> None:
    model = tiny_checkpoint.model
    prune(tiny_checkpoint, "mp_global", 0.4)
    first = {name: value == 0 for name, value in model.state_dict().items()}
    achieved = prune(tiny_checkpoint, method, 0.75, spoken).sparsity
    # n of m inputs is a ceiling: where the zeros already stand, more than m - n of m may be zero.
    above = 0.2 if METHODS[method].structure == "n:m" else 0.001
    assert 0.749 <= achieved.achieved <= 0.75 + above
    for name, value in model.state_dict().items():
        assert (value[first[name]] == 0).all(), name


def test_a_target_below_the_zeros_that_are_there_is_refused(tiny_sew: Checkpoint) -> None:
    prune(tiny_sew, "mp_local", 0.5)
    with pytest.raises(BadInput, match=r"sparsity 0\.3 cannot be reached"):
        prune(tiny_sew, "mp_local", 0.3)


def test_two_of_four_leaves_two_of_every_four(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    prune(tiny_whisper, "nm_obs", 0.5, spoken, options=Options(pattern=(2, 4)))
    for name, layer in prunable_layers(tiny_whisper.model).items():
        groups = (layer.weight != 0).view(len(layer.weight), -1, 4)
        assert (groups.sum(2) == 2).all(), name


def test_only_the_chosen_layers_are_cut(tiny_whisper: Checkpoint, spoken: Spoken) -> None:
    options = Options(layers=("encoder.*.fc1", "decoder.ffn"))
    pruned = prune(tiny_whisper, "obs", 0.5, spoken, options=options)
    cut = {name for name, share in pruned.sparsity.layers.items() if share > 0}
    assert cut == {
        f"model.{side}.layers.{i}.{layer}"
        for side, layers in (("encoder", ["fc1"]), ("decoder", ["fc1", "fc2"]))
        for i in range(2)
        for layer in layers
    }
    assert all(pruned.sparsity.layers[name] == pytest.approx(0.5, abs=0.001) for name in cut)
    with pytest.raises(BadInput, match="encoder"):
        prune(tiny_whisper, "obs", 0.5, spoken, options=Options(layers=("encodr.*",)))


def test_the_tied_projection_is_cut_only_when_asked(
    tiny_whisper: Checkpoint, spoken: Spoken
) -> None:
    embedding = tiny_whisper.model.proj_out.weight
    prune(tiny_whisper, "obs", 0.5, spoken)
    assert (embedding != 0).all()
    prune(tiny_whisper, "obs", 0.6, spoken, options=Options(tied=True))
    assert float((embedding == 0).float().mean()) > 0.3
    tied = tiny_whisper.model.model.decoder.embed_tokens
    assert tied.weight is tiny_whisper.model.proj_out.weight


@pytest.mark.parametrize("method", ["obs", "obs_search", "owl_wanda", "imp_global"])
def test_same_seed_same_bits(tiny_folders: dict[str, object], spoken: Spoken, method: str) -> None:
    from prune.checkpoint import open_checkpoint

    ends = []
    for _ in range(2):
        checkpoint = open_checkpoint(str(tiny_folders["whisper"]))
        prune(checkpoint, method, 0.6, spoken, options=Options(step=0.3, fine_tuning=SHORT))
        ends.append(checkpoint.model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_damping_and_errors_are_reported(tiny_sew: Checkpoint, spoken: Spoken) -> None:
    pruned = prune(tiny_sew, "obs", 0.5, spoken)
    assert pruned.damping.keys() == pruned.errors.keys() == prunable_layers(tiny_sew.model).keys()
    assert set(pruned.damping.values()) <= {0.01, 0.1, 1.0}
    assert all(0 < error < 1 for error in pruned.errors.values())


def test_bad_input_is_named(tiny_checkpoint: Checkpoint, spoken: Spoken) -> None:
    with pytest.raises(BadInput, match=r"sparsity 1\.5 is not between 0 and 1"):
        prune(tiny_checkpoint, "mp_global", 1.5)
    with pytest.raises(BadInput, match="did you mean 'mp_global'"):
        prune(tiny_checkpoint, "mp_globl", 0.5)
    with pytest.raises(BadInput, match="obs needs speech"):
        prune(tiny_checkpoint, "obs", 0.5)
    with pytest.raises(BadInput, match="silent"):
        prune(tiny_checkpoint, "obs", 0.5, [(np.zeros(16_000, np.float32), "on")])
    name, layer = next(iter(prunable_layers(tiny_checkpoint.model).items()))
    with torch.no_grad():
        layer.weight[0, 0] = torch.nan
    with pytest.raises(BadInput, match=f"{name} has NaN"):
        prune(tiny_checkpoint, "mp_global", 0.5)
