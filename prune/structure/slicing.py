"""Making a model smaller in place: rows and columns that are gone, not zero."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prune.families.groups import Group, Heads, set_head_count
from prune.reconstruct import Damped
from prune.structure.saliency import columns_of, compensate
from speech.errors import BadInput


@torch.no_grad()
def cut(
    model: Any,
    group: Group,
    kept: Sequence[int],
    hessian: Damped | None = None,
) -> None:
    """Cut one group; `hessian` is of its output layer's inputs, before the cut.

    For a model cut block by block: end with `prune.structure.shapes.record_shapes`.
    """
    indices = _checked(group, kept)
    if len(indices) == group.count:
        return
    output = model.get_submodule(group.output)
    columns = columns_of(torch.tensor(indices), group.size)
    weight = compensate(output.weight, hessian, columns) if hessian else output.weight[:, columns]
    for name in group.inputs:
        layer = model.get_submodule(name)
        _resize(layer, layer.weight[columns], None if layer.bias is None else layer.bias[columns])
    _resize(output, weight, output.bias)
    if isinstance(group, Heads):
        set_head_count(model.get_submodule(group.name), len(indices))
        _follow_alignment_heads(model, group, indices)


def _resize(layer: nn.Linear, weight: Tensor, bias: Tensor | None) -> None:
    """The same module with other weights: hooks and references to it stay good."""
    layer.weight = nn.Parameter(weight.detach().clone(), layer.weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), layer.bias.requires_grad)
    layer.out_features, layer.in_features = weight.shape


def _checked(group: Group, kept: Sequence[int]) -> list[int]:
    indices = sorted(set(kept))
    if not indices or len(indices) != len(kept) or indices[0] < 0 or indices[-1] >= group.count:
        raise BadInput(
            f"{group.name} cannot be cut down to {len(kept)} of {group.count}: "
            "keep at least one, none of them twice, each one that is there."
        )
    return indices


def _follow_alignment_heads(model: Any, group: Heads, indices: Sequence[int]) -> None:
    """Whisper's heads that time its words are named by number: renumber those that stay."""
    settings: Any = getattr(model, "generation_config", None)
    aligned = getattr(settings, "alignment_heads", None)
    if not aligned or ".encoder_attn" not in group.name:
        return
    layer = int(group.name.split(".")[-2])
    renumbered = []
    for place, head in aligned:
        if place != layer:
            renumbered.append([place, head])
        elif head in indices:
            renumbered.append([place, indices.index(head)])
    settings.alignment_heads = renumbered or None
