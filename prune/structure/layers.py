"""Dropping whole transformer blocks: the model without some of them."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from prune.families.groups import Stack, blocks, stacks
from prune.structure.shapes import record_shapes
from speech.errors import BadInput


@torch.no_grad()
def drop_layers(model: Any, names: Collection[str]) -> dict[str, str]:
    """Take blocks out, in place; returns the old names of all blocks that stay, by their new ones.

    Depths in the configuration follow, so that plain transformers opens the model. Statistics and
    plans made before go by the old names.
    """
    every = {stack.name: blocks(model, stack) for stack in stacks(model)}
    if unknown := set(names) - {block for stacked in every.values() for block in stacked}:
        raise BadInput(f"{sorted(unknown)[0]} is no transformer block of this model.")
    if emptied := [name for name, stacked in every.items() if set(stacked) <= set(names)]:
        raise BadInput(f"{emptied[0]} would lose all its blocks: keep at least one.")
    origins: dict[str, str] = {}
    for stack in stacks(model):
        stays = [name for name in every[stack.name] if name not in names]
        _keep_blocks(model, stack, stays)
        origins |= {f"{stack.name}.{i}": old for i, old in enumerate(stays)}
    record_shapes(model)
    return origins


def said_instead(dense: Any, origins: Mapping[str, str]) -> list[int]:
    """For each block that stays, which of the dense model's blocks gives what it should give now.

    It is the last one ahead of the next that stays. Blocks are counted through all stacks.
    """
    numbers: list[int] = []
    start = 0
    for stack in stacks(dense):
        every = blocks(dense, stack)
        stays = [every.index(old) for old in origins.values() if old in every]
        numbers += [start + after - 1 for after in [*stays[1:], len(every)]]
        start += len(every)
    return numbers


def _keep_blocks(model: Any, stack: Stack, stays: list[str]) -> None:
    kept = nn.ModuleList(model.get_submodule(name) for name in stays)
    parent, _, attribute = stack.name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, kept)
    setattr(model.config, stack.depth_key, len(kept))
    for i, block in enumerate(kept):
        for module in block.modules():
            if getattr(module, "layer_idx", None) is not None:
                module.layer_idx = i  # type: ignore[assignment]  # its place in the cache
    if ".decoder." in stack.name:
        _follow_alignment_heads(model, [int(name.rpartition(".")[2]) for name in stays])


def _follow_alignment_heads(model: Any, stays: list[int]) -> None:
    """Whisper names the heads that time its words by layer and number."""
    settings: Any = getattr(model, "generation_config", None)
    aligned: list[tuple[int, int]] | None = getattr(settings, "alignment_heads", None)
    if aligned:
        moved = [[stays.index(layer), head] for layer, head in aligned if layer in stays]
        settings.alignment_heads = moved or None
