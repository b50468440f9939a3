"""Dropping whole transformer blocks: how little each does, and the model without some of them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from prune.families.groups import Stack, blocks, stacks
from prune.structure.shapes import record_shapes
from speech.errors import BadInput


@contextmanager
def block_changes(model: Any) -> Iterator[dict[str, float]]:
    """How far each block turns what passes through it: 1 - cosine of input and output, by block.

    Filled while the model listens inside the context, so one pass serves this and the Hessians;
    a mean over all frames, padding included. The angle, not the length of the difference: where
    a norm ends the block, lengths say nothing.
    """
    changes: dict[str, float] = {}
    counts: dict[str, int] = {}

    def watch(name: str) -> Any:
        def add(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            before = given[0] if given else named["hidden_states"]
            after = out[0] if isinstance(out, tuple) else out
            turned = 1 - cosine_similarity(before.detach().float(), after.detach().float(), dim=-1)
            seen = counts.get(name, 0)
            counts[name] = seen + turned.numel()
            changes[name] = (changes.get(name, 0.0) * seen + float(turned.sum())) / counts[name]

        return add

    hooks = [
        model.get_submodule(name).register_forward_hook(watch(name), with_kwargs=True)
        for stack in stacks(model)
        for name in blocks(model, stack)
    ]
    try:
        yield changes
    finally:
        for hook in hooks:
            hook.remove()


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
