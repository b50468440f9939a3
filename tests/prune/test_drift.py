"""Making up for earlier cuts: what is compared, and that it brings a layer's output back."""

import pytest
import torch
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.drift import PairedCollector, drawn_back
from prune.families.chains import chains
from prune.families.layers import prunable_layers
from prune.reconstruct import damped
from prune.walk import walk
from tests.noise import Spoken, noise


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    return [(clip, text) for (clip, _), text in zip(noise(1.25, 2), ("on", "lights"), strict=True)]


def drifts_of_a_halving_walk(checkpoint: Checkpoint, spoken: Spoken) -> dict[str, Tensor]:
    """Every layer is halved as soon as its block was heard."""
    found: dict[str, Tensor] = {}
    layers = prunable_layers(checkpoint.model)

    def halve(names: list[str], collector: PairedCollector) -> None:
        found.update(collector.drifts())
        for name in names:
            layers[name].weight.mul_(0.5)

    walk(checkpoint, spoken, halve)
    return found


def test_a_block_is_told_how_its_inputs_have_changed(
    tiny_variant: Checkpoint, spoken: Spoken
) -> None:
    """Against inputs of the uncut model, and of one in which all but the last block is halved."""
    layers = prunable_layers(tiny_variant.model)
    uncut = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    links = [link for chain in chains(tiny_variant.model) for link in chain.links]
    first, last = (
        [name for name in layers if name == link or name.startswith(f"{link}.")]
        for link in (links[0], links[-1])
    )
    heard = inputs_by_layer(tiny_variant, spoken)
    found = drifts_of_a_halving_walk(tiny_variant, spoken)
    assert not any(found[name].any() for name in first)
    with torch.no_grad():
        for name in last:
            layers[name].weight.copy_(uncut[name])
    now = inputs_by_layer(tiny_variant, spoken)
    compared = [name for name in last if name in now]
    assert compared
    for name in compared:
        weight = uncut[name].flatten(1)
        expected = weight @ (heard[name] - now[name]).T @ now[name] / len(now[name])
        assert found[name].any()
        assert torch.allclose(found[name], expected, rtol=1e-3, atol=1e-5), name


def inputs_by_layer(checkpoint: Checkpoint, spoken: Spoken) -> dict[str, Tensor]:
    """As rows, over all clips, of one layer for each input; the model stays as it is."""
    rows: dict[str, list[Tensor]] = {}
    add = PairedCollector._add

    def keep(self: PairedCollector, name: str, given: Tensor) -> None:
        if not self._hears_uncut:
            rows.setdefault(name, []).append(given)
        add(self, name, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PairedCollector, "_add", keep)
        walk(checkpoint, spoken, lambda *_: None)
    return {name: torch.cat(parts) for name, parts in rows.items()}


def test_a_layer_is_drawn_back_to_what_it_said() -> None:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(20, 20, generator=generator)
    before = torch.randn(4000, 20, generator=generator) @ mixing
    now = before + 0.5 * torch.randn(4000, 20, generator=generator) + 0.2 * before.roll(1, dims=1)
    weight = torch.randn(30, 20, generator=generator)
    drift = weight @ (before - now).T @ now / 4000
    hessian = damped(now.T @ now / 4000, "the layer")

    def away(tried: Tensor) -> float:
        return float((before @ weight.T - now @ tried.T).square().mean())

    mended = drawn_back(weight, drift, hessian)
    assert away(mended) < 0.6 * away(weight)
    assert drawn_back(weight, torch.zeros_like(drift), hessian) is weight
