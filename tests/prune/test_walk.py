"""Block by block: the same statistics as in one pass, but of what the cut blocks before say."""

import tempfile
from pathlib import Path

import pytest
import torch

from prune import walk as walking
from prune.checkpoint import Checkpoint, open_checkpoint
from prune.families.chains import chains
from prune.families.layers import prunable_layers
from prune.schedule import prune
from prune.statistics import Collector, hessians
from prune.walk import walk
from tests.noise import Spoken, noise


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    clips = noise(1.25, 2, 3)
    texts = ("on", "lights", "the radio")
    return [(clip, text) for (clip, _), text in zip(clips, texts, strict=True)]


def test_every_prunable_layer_is_in_one_link(tiny_variant: Checkpoint) -> None:
    links = [link for chain in chains(tiny_variant.model) for link in chain.links]
    for name in prunable_layers(tiny_variant.model):
        homes = [link for link in links if name == link or name.startswith(f"{link}.")]
        assert len(homes) == 1, name


def test_an_uncut_walk_hears_what_one_pass_hears(tiny_variant: Checkpoint, spoken: Spoken) -> None:
    once, walked = hessians(tiny_variant, spoken), {}

    def look(names: list[str], collector: Collector) -> None:
        walked.update(collector.hessians())

    walk(tiny_variant, spoken, look)
    assert walked.keys() == once.keys()
    for name, found in once.items():
        assert torch.allclose(walked[name], found, rtol=1e-4, atol=1e-5), name


def test_a_block_hears_the_cut_blocks_before_it(tiny_variant: Checkpoint, spoken: Spoken) -> None:
    """What the walk saw of a block is what one pass sees with only that block and later uncut."""
    model, seen = tiny_variant.model, {}
    layers = prunable_layers(model)
    dense = {name: layer.weight.detach().clone() for name, layer in layers.items()}

    def halve(names: list[str], collector: Collector) -> None:
        seen.update(collector.hessians())
        for name in names:
            layers[name].weight.mul_(0.5)

    walk(tiny_variant, spoken, halve)
    last = [link for chain in chains(model) for link in chain.links][-1]
    mine = [name for name in layers if name == last or name.startswith(f"{last}.")]
    with torch.no_grad():
        for name in mine:
            layers[name].weight.copy_(dense[name])
    expected = hessians(tiny_variant, spoken)
    uncut = [name for name in mine if name in expected]
    assert uncut
    for name in uncut:
        assert torch.allclose(seen[name], expected[name], rtol=1e-4, atol=1e-5), name


def test_nothing_is_left_on_disk(
    tiny_whisper: Checkpoint, spoken: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail(names: list[str], collector: Collector) -> None:
        assert list(tmp_path.iterdir())
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        walk(tiny_whisper, spoken, fail)
    assert not list(tmp_path.iterdir())
    assert not any(module._forward_pre_hooks for module in tiny_whisper.model.modules())


def test_what_waits_on_disk_comes_back_as_from_memory(
    tiny_folders: dict[str, Path], spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for room in (walking.IN_MEMORY, 20_000, 0):
        monkeypatch.setattr(walking, "IN_MEMORY", room)
        checkpoint = open_checkpoint(str(tiny_folders["sew"]))
        prune(checkpoint, "obs", 0.5, spoken)
        found.append(checkpoint.model.state_dict())
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())
