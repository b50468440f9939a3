"""Heads and blocks that a model can do without: the right ones, and the model as it was after."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.groups import Heads, blocks, groups, stacks
from prune.finetune import finetune
from prune.options import Options
from prune.schedule import prune
from prune.structure.greedy import cheapest
from prune.structure.layers import drop_layers, said_instead
from prune.trials import choose_blocks, choose_heads
from speech.errors import BadInput
from tests.noise import noise
from tests.prune.lessons import BRIEF

SPEECH = noise(1.5, 1.2, 2.0, 1.8)


def test_the_cheapest_of_convex_parts_go_and_few_are_measured() -> None:
    weights = {str(part): 1.0 + 3 * part for part in range(12)}
    room = dict.fromkeys(weights, 5)
    looks = 0

    def damage(gone: Mapping[str, int]) -> float:
        nonlocal looks
        looks += 1
        return sum(weights[name] * count**2 for name, count in gone.items())

    def thorough(count: int) -> dict[str, int]:
        gone = dict.fromkeys(room, 0)
        for _ in range(count):
            further = {n: gone | {n: gone[n] + 1} for n in gone if gone[n] < room[n]}
            gone = further[min(further, key=lambda name: damage(further[name]))]
        return gone

    for count in (0, 1, 7, 20):
        expected, looks = thorough(count), 0
        assert cheapest(room, count, damage) == expected
        assert looks <= 12 + 3 * count
    assert cheapest(room, 60, damage) == room
    together = cheapest(room, 20, damage, together=0.25)
    assert damage(together) < 1.2 * damage(thorough(20))
    with pytest.raises(ValueError, match="61 cannot go"):
        cheapest(room, 61, damage)


def silence(model: torch.nn.Module, layer: str, columns: slice = slice(None)) -> None:
    """What the layer makes of these inputs is nothing."""
    with torch.no_grad():
        model.get_submodule(layer).weight[:, columns] = 0


def test_heads_that_say_nothing_are_the_ones_that_go(tiny_checkpoint: Checkpoint) -> None:
    model = tiny_checkpoint.model
    heads = {n: g for n, g in groups(model).items() if isinstance(g, Heads)}
    silent = {name: place % group.count for place, (name, group) in enumerate(heads.items())}
    for name, head in silent.items():
        size = heads[name].size
        silence(model, heads[name].output, slice(head * size, (head + 1) * size))
    dense = {name: value.clone() for name, value in model.state_dict().items()}
    prune(
        tiny_checkpoint, "obs_structured", 0.0, SPEECH,
        options=Options(heads=len(heads) / sum(group.count for group in heads.values())),
    )  # fmt: skip
    for name, head in silent.items():
        group = heads[name]
        before = dense[f"{group.inputs[0]}.weight"].view(group.count, group.size, -1)
        stays = [place for place in range(group.count) if place != head]
        after = model.get_submodule(group.inputs[0]).weight
        assert torch.equal(after.view(len(stays), group.size, -1), before[stays]), name


def test_trying_leaves_the_model_as_it_was(tiny_checkpoint: Checkpoint) -> None:
    from prune.reconstruct import damped
    from prune.statistics import hessians

    model = tiny_checkpoint.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    heads = {n: g for n, g in groups(model).items() if isinstance(g, Heads)}
    heard = hessians(tiny_checkpoint, SPEECH)
    mended = {group.output: damped(heard[group.output], name) for name, group in heads.items()}
    orders = {name: torch.arange(group.count) for name, group in heads.items()}
    told: list[int] = []
    stays = choose_heads(
        tiny_checkpoint, SPEECH, orders, mended, 3, report=lambda _, done, __: told.append(done)
    )
    assert sum(group.count - len(stays[name]) for name, group in heads.items()) == 3
    assert all(list(heads) == sorted(heads) for heads in stays.values())
    choose_blocks(tiny_checkpoint, SPEECH, 0.25)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all("forward" not in vars(module) for module in model.modules())
    assert told == [1, 2, 3]


def test_a_block_that_does_nothing_is_the_one_to_drop(tiny_whisper: Checkpoint) -> None:
    for layer in ("self_attn.out_proj", "fc2"):
        name = f"model.encoder.layers.1.{layer}"
        silence(tiny_whisper.model, name)
        torch.nn.init.zeros_(tiny_whisper.model.get_submodule(name).bias)
    assert choose_blocks(tiny_whisper, SPEECH, 0.25) == ["model.encoder.layers.1"]


def test_a_block_stays_in_every_stack(tiny_checkpoint: Checkpoint) -> None:
    model = tiny_checkpoint.model
    gone = choose_blocks(tiny_checkpoint, SPEECH, 0.5)
    every = [name for stack in stacks(model) for name in blocks(model, stack)]
    assert len(gone) == len(every) / 2
    drop_layers(model, gone)
    assert all(blocks(model, stack) for stack in stacks(model))
    with pytest.raises(BadInput, match="one must stay in each stack"):
        choose_blocks(tiny_checkpoint, SPEECH, 0.9)
    with pytest.raises(BadInput, match=r"blocks 1\.0 is not a share"):
        choose_blocks(tiny_checkpoint, SPEECH, 1.0)


@pytest.mark.parametrize("family", ["whisper", "sew", "wav2vec2"])
def test_blocks_go_first_and_count_towards_the_sparsity(
    tiny_folders: dict[str, Path], family: str, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(str(tiny_folders[family]))
    share = 0.25 if family == "whisper" else 0.5
    pruned = prune(checkpoint, "obs_structured", 0.45, SPEECH, options=Options(blocks=share))
    assert pruned.sparsity.achieved == pytest.approx(0.45, abs=0.01)
    last = stacks(checkpoint.model)[-1].name
    others = [value for value in pruned.sparsity.layers.values() if value not in (0, 1)]
    assert 1 in pruned.sparsity.layers.values()
    assert others, f"only blocks went, of {last}"
    checkpoint.save(tmp_path / "out")
    opened = open_checkpoint(str(tmp_path / "out")).model.state_dict()
    state = checkpoint.model.state_dict()
    assert all(torch.equal(opened[name], value) for name, value in state.items())


def test_blocks_alone_leave_the_others_as_they_were(tiny_whisper: Checkpoint) -> None:
    before = {name: value.clone() for name, value in tiny_whisper.model.state_dict().items()}
    pruned = prune(tiny_whisper, "obs_structured", 0.0, SPEECH, options=Options(blocks=0.25))
    gone = {name for name, share in pruned.sparsity.layers.items() if share}
    assert {pruned.sparsity.layers[name] for name in gone} == {1}
    assert len({name.split("layers.")[0] + name.split(".")[3] for name in gone}) == 1
    kept = list(tiny_whisper.model.state_dict().values())
    assert all(any(torch.equal(value, was) for was in before.values()) for value in kept)


def test_each_block_that_stays_learns_what_was_said_before_the_next(
    tiny_whisper: Checkpoint,
) -> None:
    numbers = said_instead(
        tiny_whisper.model,
        {"model.encoder.layers.0": "model.encoder.layers.1"}
        | {f"model.decoder.layers.{i}": f"model.decoder.layers.{i}" for i in range(2)},
    )
    assert numbers == [1, 2, 3]
    numbers = said_instead(
        tiny_whisper.model,
        {"model.encoder.layers.0": "model.encoder.layers.0"}
        | {"model.decoder.layers.0": "model.decoder.layers.1"},
    )
    assert numbers == [1, 3]


def test_a_model_without_a_block_learns_from_its_teacher(
    tiny_folders: dict[str, Path],
) -> None:
    teacher = open_checkpoint(str(tiny_folders["whisper"]))
    learner = open_checkpoint(str(tiny_folders["whisper"]))
    origins = drop_layers(learner.model, ["model.encoder.layers.1"])
    plan = replace(
        BRIEF, steps=20, rate=2e-3, patience=99, distil_states=10.0, spec_augment=False,
        speed=False, voices=False,
    )  # fmt: skip
    with pytest.raises(BadInput, match="count of blocks 4 cannot be compared"):
        finetune(learner, SPEECH, plan, teacher=teacher.model)
    compared = said_instead(teacher.model, origins)
    done = finetune(learner, SPEECH, plan, teacher=teacher.model, compared=compared)
    losses = [loss for _, loss in done.held_out]
    assert min(losses) < 0.95 * losses[0]
