"""Cutting one part at a time: what it measures, what it leaves as it was, what it computes anew."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.damage import REGIONS, TRIED_METHODS, By, Sensitivity
from prune.families.layers import COMPONENTS, prunable_layers
from prune.families.regions import regions
from prune.forcing import Floats
from prune.learning.losses import task_for
from prune.replay import Replay, ahead_of
from prune.sensitivity import cut_weights, sensitivity
from prune.solve import Solver
from prune.statistics import hessians
from speech.corpora import open_corpus
from speech.errors import BadInput

Spoken = list[tuple[Floats, str]]


def noise(seed: int, count: int = 3) -> Spoken:
    rng = np.random.default_rng(seed)
    lengths = (20_000, 32_000, 48_000, 25_000)[:count]
    return [(rng.standard_normal(n).astype(np.float32) / 5, "turn on the lights") for n in lengths]


def spoken(limit: int, seed: int) -> Spoken:
    corpus = open_corpus("demo:calibration", limit=limit, seed=seed)
    return [(clip.samples(), clip.text) for clip in corpus.clips]


@pytest.mark.parametrize("method", TRIED_METHODS)
def test_the_model_ends_as_it_began_to_the_bit(tiny_checkpoint: Checkpoint, method: str) -> None:
    model = tiny_checkpoint.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sensitivity(
        tiny_checkpoint,
        noise(1),
        calibration=noise(2),
        method=method,
        by="block",
        sparsities=[0.5, 1],
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all("forward" not in vars(module) for module in model.modules())


def test_it_ends_so_also_when_it_is_stopped(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def stop(label: str, done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity(tiny_whisper, noise(1), method="mp_local", sparsities=[0.5], report=stop)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all("forward" not in vars(module) for module in model.modules())


def test_no_zeros_do_no_damage_and_more_do_more(tiny_checkpoint: Checkpoint) -> None:
    result = sensitivity(tiny_checkpoint, noise(1), calibration=noise(2), sparsities=[1, 0, 0.3])
    assert result.sparsities == (0, 0.3, 1)
    assert [row.layers for row in result.rows] == [
        (name,) for name in prunable_layers(tiny_checkpoint.model)
    ]
    damage = [[cell.divergence for cell in row.cells] for row in result.rows]
    for none, some, all_of_it in damage:
        assert none == 0
        # A query that hardly steers its attention does no damage that float32 could tell.
        assert 0 <= some <= all_of_it
        assert all_of_it > 0
    assert sum(some > 0 for _, some, _ in damage) > 0.8 * len(damage)
    assert result.most_sensitive()[0] is None


def test_what_is_measured_is_the_divergence_from_the_dense_answers(
    tiny_checkpoint: Checkpoint,
) -> None:
    """Against a model that is cut for good and computes everything itself."""
    name = list(prunable_layers(tiny_checkpoint.model))[-1]
    pattern = name.partition(".")[2]
    measured = sensitivity(
        tiny_checkpoint, noise(1), method="mp_local", sparsities=[0.7], layers=[pattern]
    )
    task = task_for(tiny_checkpoint)
    batches = [task.batch([task.example(*clip)]) for clip in noise(1)]

    @torch.no_grad()
    def answers() -> torch.Tensor:
        said = [task.answer(tiny_checkpoint.model, batch).logits for batch in batches]
        return torch.cat(said).double().log_softmax(-1)

    dense = answers()
    weight = tiny_checkpoint.model.get_submodule(name).weight.detach()
    weight.copy_(cut_weights(weight.flatten(1), None, "mp_local", 0.7).view_as(weight))
    expected = (dense.exp() * (dense - answers())).sum(-1).mean()
    assert measured.answers == len(dense)
    assert measured.rows[0].cells[0].divergence == pytest.approx(float(expected), rel=1e-3)


def test_what_is_played_back_is_what_would_be_computed(tiny_variant: Checkpoint) -> None:
    task, model = task_for(tiny_variant), tiny_variant.model
    batches = [task.batch([task.example(*clip)]) for clip in noise(1)]
    replay = Replay(model)

    @torch.no_grad()
    def answers() -> list[torch.Tensor]:
        said = []
        for replay.batch, batch in enumerate(batches):
            said.append(task.answer(model, batch).logits)
        return said

    dense = answers()
    for name, layer in prunable_layers(model).items():
        kept = layer.weight.detach().clone()
        replay.start_at(name, answers)
        assert all(map(torch.equal, answers(), dense)), name
        layer.weight.detach().mul_(0.5)
        played = answers()
        replay.stop()
        assert all(map(torch.equal, played, answers())), name
        layer.weight.detach().copy_(kept)


def test_only_what_follows_the_cut_is_computed(tiny_whisper: Checkpoint) -> None:
    calls = []
    encoder = tiny_whisper.model.model.encoder
    hook = encoder.layers[0].fc1.register_forward_hook(lambda *_: calls.append(1))
    sensitivity(
        tiny_whisper,
        noise(1),
        method="mp_local",
        layers=["decoder.layers.1.fc2"],
        sparsities=[0.1, 0.2, 0.5, 0.7, 0.9],
    )
    hook.remove()
    assert len(calls) == 2  # the dense model's answers, and the recording


def test_ahead_of_a_layer_lie_whole_modules_and_the_blocks_before_its_own(
    tiny_whisper: Checkpoint, tiny_sew: Checkpoint
) -> None:
    assert ahead_of(tiny_whisper.model, "model.encoder.layers.0.fc1") == {}
    assert ahead_of(tiny_whisper.model, "model.decoder.layers.1.fc1") == {
        "model.encoder": "model.encoder",
        "model.decoder.layers.0": "model.decoder.layers.0",
    }
    ahead = ahead_of(tiny_sew.model, "sew.encoder.upsample.projection")
    assert ahead["sew.encoder.layers.0"] == "sew.encoder.layers.1"
    assert "sew.encoder.layers" not in ahead
    assert ahead["sew.feature_extractor"] == "sew.feature_extractor"


@pytest.mark.parametrize("by", REGIONS)
def test_regions_share_out_the_layers(tiny_variant: Checkpoint, by: By) -> None:
    layers = list(prunable_layers(tiny_variant.model))
    parts = regions(tiny_variant.model, layers, by)
    assert sorted(name for names in parts.values() for name in names) == sorted(layers)
    firsts = [layers.index(names[0]) for names in parts.values()]
    assert firsts == sorted(firsts)
    if by == "component":
        assert set(parts) <= set(COMPONENTS)
    if by == "side":
        whisper = tiny_variant.family == "whisper"
        sides = ["encoder", "decoder"] if whisper else ["feature extractor", "transformer"]
        assert list(parts) == sides


def test_blocks_are_those_of_the_transformer(tiny_sew: Checkpoint) -> None:
    parts = regions(tiny_sew.model, prunable_layers(tiny_sew.model), "block")
    assert list(parts) == [
        *(f"feature_extractor.conv_layers.{index}" for index in range(3)),
        "feature_projection",
        "encoder.layers.0",
        "encoder.layers.1",
        "encoder.upsample.projection",
    ]
    assert len(parts["encoder.layers.0"]) == 6


@pytest.mark.parametrize("method", TRIED_METHODS)
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.77, 1.0])
def test_a_cut_hits_its_count_and_keeps_old_zeros(
    tiny_whisper: Checkpoint, method: str, sparsity: float
) -> None:
    name = "model.encoder.layers.1.fc2"
    weight = tiny_whisper.model.get_submodule(name).weight.detach().clone()
    weight[:, 0] = 0
    hessian = hessians(tiny_whisper, noise(2))[name]
    given = {"obs": Solver(hessian), "wanda": hessian, "mp_local": None}[method]
    cut = cut_weights(weight, given, method, sparsity)
    there = int((weight == 0).sum())
    assert int((cut == 0).sum()) == max(there, round(sparsity * weight.numel()))
    assert not cut[:, 0].any()


def test_the_same_seed_gives_the_same_result(tiny_sew: Checkpoint) -> None:
    def measured() -> Sensitivity:
        return sensitivity(
            tiny_sew, noise(1), calibration=noise(2), by="component", sparsities=[0.6, 0.9]
        )

    assert measured() == measured()


def test_a_result_survives_json(tiny_whisper: Checkpoint) -> None:
    result = sensitivity(
        tiny_whisper,
        noise(1),
        method="mp_local",
        by="side",
        sparsities=[0, 0.8],
        normalizer="basic",
    )
    assert result.dense is not None
    assert result.rows[0].cells[0].score == result.dense
    assert Sensitivity.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_error_rates_are_heard_by_the_cut_model(tiny_whisper: Checkpoint) -> None:
    """Past a replayed encoder too, whose batches are not those that transcribing brings."""
    result = sensitivity(
        tiny_whisper,
        noise(1),
        method="mp_local",
        sparsities=[1.0],
        layers=["decoder.layers.1"],
        by="block",
        normalizer="basic",
    )
    score = result.rows[0].cells[0].score
    assert score is not None
    assert result.dense is not None
    assert score.clips == result.clips == 3
    assert replace(score, normalizer="") != replace(result.dense, normalizer="")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "mp_global"}, "mp_global does not cut each layer by itself: choose from obs"),
        ({"method": "obss"}, "did you mean 'obs'"),
        ({"sparsities": [1.5]}, "sparsity 1.5 is not between 0 and 1"),
        ({"sparsities": []}, "No sparsity is given"),
        ({"layers": ["encoder.ffm"]}, "matches no prunable layer"),
        ({"calibration": None}, "obs calibrates on speech"),
        ({"held_out": [(np.zeros(100_000, np.float32), "lights")]}, "no clip to measure on"),
    ],
)
def test_bad_input_is_one_sentence(
    tiny_whisper: Checkpoint, wrong: dict[str, object], words: str
) -> None:
    given: dict[str, object] = {"held_out": noise(1), "calibration": noise(2)} | wrong
    with pytest.raises(BadInput, match=words):
        sensitivity(tiny_whisper, **given)  # type: ignore[arg-type]


def test_the_demos_first_decoder_self_attention_bears_less_than_its_cross_attention() -> None:
    """Of the output projections; on 32 clips 0.029 against 0.0008 nats a token at 95 %."""
    torch.set_num_threads(1)
    checkpoint = open_checkpoint("demo-whisper")
    result = sensitivity(
        checkpoint,
        spoken(16, seed=0),
        calibration=spoken(64, seed=1),
        layers=["decoder.layers.0.self_attn.out_proj", "decoder.layers.0.encoder_attn.out_proj"],
        sparsities=[0.5, 0.9, 0.95],
    )
    first, second = ([cell.divergence for cell in row.cells] for row in result.rows)
    assert first[1] > 2 * second[1]
    assert first[2] > 5 * second[2]
    assert max(first[0], second[0]) < 0.001
