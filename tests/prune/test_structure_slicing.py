"""Sliced models: they say what masked ones say, and open again as they were saved."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import SEWForCTC, WhisperForConditionalGeneration

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.groups import Heads, Neurons, blocks, groups, stacks
from prune.listen import transcribe
from prune.reconstruct import damped
from prune.structure.layers import drop_layers
from prune.structure.saliency import columns_of, compensate
from prune.structure.size import size, sparsity_since
from speech.errors import BadInput
from tests.export.exported import bundle_of, noise
from tests.prune.slicing import cut_all


def heads_of(model: Any) -> list[Heads]:
    return [group for group in groups(model).values() if isinstance(group, Heads)]


def neurons_of(model: Any) -> list[Neurons]:
    return [group for group in groups(model).values() if isinstance(group, Neurons)]


def sew_d_with_keys_of_its_own() -> Any:
    """Positions are projected by layers that are cut with the heads too."""
    from transformers import SEWDConfig, SEWDForCTC

    from tests.tiny_models import CTC_SHAPE

    model = SEWDForCTC(SEWDConfig(**CTC_SHAPE, position_buckets=8, share_att_key=False)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.25, generator=torch.Generator().manual_seed(0))
    return model


def some_of(model: Any, seed: int = 0) -> dict[str, list[int]]:
    """At random, another count for every group."""
    rng = np.random.default_rng(seed)
    return {
        name: sorted(rng.permutation(group.count)[: 1 + i % (group.count - 1)].tolist())
        for i, (name, group) in enumerate(groups(model).items())
    }


def random_hessians(model: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    found = {}
    for group in groups(model).values():
        rows = torch.randn(300, group.count * group.size, generator=generator)
        rows[:, 1:] += rows[:, :-1]
        found[group.output] = damped((rows.T @ rows / 300).double(), "fc1")
    return found


def answer(model: Any, clip: int = 0) -> torch.Tensor:
    with torch.no_grad():
        if model.config.model_type == "whisper":
            mel = torch.from_numpy(np.random.default_rng(clip).standard_normal((1, 80, 400)))
            tokens = torch.tensor([[256, 5, 70, 33, 12, 90]])
            logits = model(input_features=mel.float(), decoder_input_ids=tokens).logits
        else:
            logits = model(torch.from_numpy(noise(clip, 1.0))[None]).logits
    found: torch.Tensor = logits
    return found


@torch.no_grad()
def masked(model: Any, kept: dict[str, list[int]], hessians: dict[str, Any]) -> Any:
    """The dense model with zeros for what is cut and the same compensated weights."""
    model = copy.deepcopy(model)
    for name, group in groups(model).items():
        columns = columns_of(torch.tensor(kept[name]), group.size)
        layer = model.get_submodule(group.output)
        weight = torch.zeros_like(layer.weight)
        weight[:, columns] = compensate(layer.weight, hessians[group.output], columns)
        layer.weight.copy_(weight)
    return model


def assert_sliced_says_what_masked_says(model: Any) -> None:
    kept, hessians = some_of(model), random_hessians(model)
    expected = answer(masked(model, kept, hessians))
    before = answer(model)
    cut_all(model, kept, hessians)
    for name, group in groups(model).items():
        assert group.count == len(kept[name]), name
    found = answer(model)
    assert (found - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    assert (found - before).abs().max() > 1e-2


def test_sliced_says_what_masked_says(tiny_variant: Checkpoint) -> None:
    assert_sliced_says_what_masked_says(tiny_variant.model)


def test_sliced_says_what_masked_says_where_positions_have_keys_of_their_own() -> None:
    model = sew_d_with_keys_of_its_own()
    assert {len(heads.inputs) for heads in heads_of(model)} == {5}
    assert_sliced_says_what_masked_says(model)


def test_every_block_has_its_groups(tiny_variant: Checkpoint) -> None:
    model = tiny_variant.model
    attentions, blocks = (6, 4) if tiny_variant.family == "whisper" else (2, 2)
    assert [(heads.count, heads.size) for heads in heads_of(model)] == [(4, 8)] * attentions
    assert [neurons.count for neurons in neurons_of(model)] == [64] * blocks
    assert {len(heads.inputs) for heads in heads_of(model)} == {3}


def test_generate_works_with_uneven_layers(tiny_whisper: Checkpoint) -> None:
    clips = [noise(i, 2.0) for i in range(3)]
    model = tiny_whisper.model
    kept, hessians = some_of(model, 1), random_hessians(model)
    stand_in = copy.copy(tiny_whisper)
    stand_in.model = masked(model, kept, hessians)
    expected = transcribe(stand_in, clips)
    cut_all(model, kept, hessians)
    assert transcribe(tiny_whisper, clips) == expected
    assert any(expected)


def test_a_cut_model_opens_as_it_was_saved(tiny_variant: Checkpoint, tmp_path: Path) -> None:
    model = tiny_variant.model
    cut_all(model, some_of(model), random_hessians(model))
    tiny_variant.save(tmp_path / "cut")
    opened = open_checkpoint(str(tmp_path / "cut"))
    assert type(opened.model) is type(model)
    assert opened.model.state_dict().keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert torch.equal(opened.model.state_dict()[name], value), name
    assert torch.equal(answer(opened.model), answer(model))
    opened.save(tmp_path / "again")
    first, second = ((tmp_path / name / "config.json").read_text() for name in ("cut", "again"))
    assert json.loads(first) == json.loads(second)


def test_a_tied_embedding_is_tied_again(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    cut_all(tiny_whisper.model, some_of(tiny_whisper.model))
    tiny_whisper.save(tmp_path)
    opened = open_checkpoint(str(tmp_path)).model
    assert opened.proj_out.weight is opened.model.decoder.embed_tokens.weight


@pytest.mark.parametrize(
    ("family", "plain"), [("whisper", WhisperForConditionalGeneration), ("sew", SEWForCTC)]
)
def test_ffns_of_one_size_open_without_us(
    family: str, plain: Any, tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(tiny_folders[family]))
    cut = {neurons.name: list(range(3, 20)) for neurons in neurons_of(checkpoint.model)}
    cut_all(checkpoint.model, cut)
    checkpoint.save(tmp_path)
    assert "secateur" not in (tmp_path / "config.json").read_text()
    opened = plain.from_pretrained(tmp_path).eval()
    assert torch.equal(answer(opened), answer(checkpoint.model))


@pytest.mark.parametrize(
    ("family", "plain"), [("whisper", WhisperForConditionalGeneration), ("sew", SEWForCTC)]
)
def test_a_dropped_layer_is_gone_for_transformers_too(
    family: str, plain: Any, tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(tiny_folders[family]))
    model = checkpoint.model
    side = "model.decoder.layers" if family == "whisper" else "sew.encoder.layers"
    stays = copy.deepcopy(model.get_submodule(f"{side}.1").state_dict())
    origins = drop_layers(model, [f"{side}.0"])
    assert origins[f"{side}.0"] == f"{side}.1"
    assert all(
        torch.equal(value, stays[name])
        for name, value in model.get_submodule(f"{side}.0").state_dict().items()
    )
    checkpoint.save(tmp_path)
    opened = plain.from_pretrained(tmp_path).eval()
    assert len(opened.get_submodule(side)) == 1
    assert torch.equal(answer(opened), answer(model))
    assert transcribe(open_checkpoint(str(tmp_path)), [noise(1, 2.0)]) == transcribe(
        checkpoint, [noise(1, 2.0)]
    )


def test_the_last_layer_of_a_stack_stays(tiny_whisper: Checkpoint) -> None:
    names = ["model.decoder.layers.0", "model.decoder.layers.1"]
    with pytest.raises(BadInput, match=r"model\.decoder\.layers would lose all"):
        drop_layers(tiny_whisper.model, names)
    with pytest.raises(BadInput, match=r"layers\.7 is no transformer block"):
        drop_layers(tiny_whisper.model, ["model.decoder.layers.7"])


def test_heads_that_time_words_keep_their_meaning(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    model.generation_config.alignment_heads = [[0, 1], [1, 0], [1, 3]]
    cut_all(model, {"model.decoder.layers.1.encoder_attn": [2, 3]})
    assert model.generation_config.alignment_heads == [[0, 1], [1, 1]]
    drop_layers(model, ["model.decoder.layers.0"])
    assert model.generation_config.alignment_heads == [[0, 1]]


def test_what_is_removed_and_what_is_zero_are_counted_together(tiny_whisper: Checkpoint) -> None:
    model = tiny_whisper.model
    dense = size(model)
    drop_layers_origins = drop_layers(model, ["model.encoder.layers.0"])
    cut_all(model, {"model.encoder.layers.0.fc1": list(range(16))})
    with torch.no_grad():
        model.model.decoder.layers[0].fc1.weight[:32] = 0
    found = sparsity_since(dense, model, 0.3, drop_layers_origins)
    assert found.layers["model.encoder.layers.0.fc2"] == 1
    assert found.layers["model.encoder.layers.1.fc1"] == 0.75
    assert found.layers["model.decoder.layers.0.fc1"] == 0.5
    assert found.layers["model.decoder.layers.1.fc1"] == 0
    block = 4 * 32 * 32 + 2 * 32 * 64
    lost = block + 2 * 48 * 32 + 32 * 32
    assert found.achieved == pytest.approx(lost / dense.prunable)
    assert dense.prunable == 2 * block + 2 * (block + 4 * 32 * 32)
    assert 0 < found.model < found.achieved


@pytest.mark.parametrize("kept", [[], [0, 4], [-1, 2], [1, 1]])
def test_impossible_cuts_are_refused(tiny_whisper: Checkpoint, kept: list[int]) -> None:
    with pytest.raises(BadInput, match=r"encoder\.layers\.0\.self_attn cannot be cut down"):
        cut_all(tiny_whisper.model, {"model.encoder.layers.0.self_attn": kept})


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (["layers"], "is not a table"),
        ({"model.encoder.layers.9.fc1": 3}, r"names 'model\.encoder\.layers\.9\.fc1'"),
        ({"model.encoder.layers.0.fc1": 0}, "the count 0, not one from 1 to 64"),
        ({"model.encoder.layers.0.fc1": 65}, "the count 65"),
        ({"model.encoder.layers.0.fc1": True}, "the count True"),
        ({"model.encoder.layers.0.fc1": "8"}, "the count '8'"),
        ({"model.encoder.layers.0.fc1": 7}, "its weights do not load"),
    ],
)
def test_a_tampered_configuration_gives_one_sentence(
    tiny_whisper: Checkpoint, tmp_path: Path, shapes: Any, sentence: str
) -> None:
    cut_all(tiny_whisper.model, {"model.encoder.layers.0.fc1": list(range(8))})
    tiny_whisper.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["secateur_shapes"] == {"model.encoder.layers.0.fc1": 8}
    (tmp_path / "config.json").write_text(json.dumps(config | {"secateur_shapes": shapes}))
    with pytest.raises(BadInput, match=sentence) as caught:
        open_checkpoint(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_weights_of_a_cut_model_are_named(
    tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    cut_all(tiny_whisper.model, {"model.encoder.layers.0.fc1": list(range(8))})
    tiny_whisper.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    bias = weights.pop("model.encoder.layers.0.fc1.bias")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 1 weights .*layers\.0\.fc1\.bias"):
        open_checkpoint(str(tmp_path))
    weights |= {
        "model.encoder.layers.0.fc1.bias": bias,
        "model.encoder.layers.5.fc1.bias": bias + 1,
    }
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"encoder_layers = 2, and model\.safetensors has 3 such"):
        open_checkpoint(str(tmp_path))


@pytest.mark.long_but("whisper")
def test_a_cut_model_exports_and_its_bundle_opens(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    model = tiny_checkpoint.model
    kept = some_of(model, 2)
    kept[heads_of(model)[-1].name] = [3]  # one head alone
    cut_all(model, kept)
    drop_layers(model, [blocks(model, stacks(model)[-1])[0]])
    bundle = bundle_of(tiny_checkpoint, tmp_path / "bundle")  # checks parity
    opened = open_checkpoint(str(bundle.folder / "pytorch"))
    assert torch.equal(answer(opened.model), answer(model))
    assert size(opened.model) == size(model)
