"""Cutting out heads and FFN neurons: what to spare from the dense model, then block by block."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.families.groups import Group, groups
from prune.forcing import Report, Speech
from prune.options import Options
from prune.reconstruct import damped, layer_error
from prune.statistics import Collector, hessians
from prune.structure.budget import plan
from prune.structure.saliency import Removal, columns_of, removal_order
from prune.structure.shapes import record_shapes
from prune.structure.size import Size
from prune.structure.slicing import cut
from prune.walk import walk


@torch.no_grad()
def cut_groups(
    checkpoint: Checkpoint,
    sparsity: float | None,
    speech: Speech,
    options: Options,
    *,
    dense: Size,
    report: Report | None = None,
) -> dict[str, float]:
    """Slice the model in place; gives back each output layer's relative error.

    Either `sparsity` of the `dense` model's prunable weights go, or the shares of heads and
    neurons that the options name.
    """
    precision = getattr(torch, options.precision)
    heard = hessians(checkpoint, speech, precision=precision, report=report)
    kept = _planned(checkpoint.model, heard, sparsity, options, dense, report)
    errors: dict[str, float] = {}

    def settle(names: list[str], collector: Collector) -> None:
        fresh = collector.hessians()
        known = groups(checkpoint.model)
        for name, indices in kept.items():
            group = known[name]
            if group.output in names and len(indices) < group.count:
                before = checkpoint.model.get_submodule(group.output).weight.clone()
                cut(checkpoint.model, group, indices, damped(fresh[group.output], group.output))
                errors[group.output] = _error(checkpoint, group, before, indices, fresh)

    walk(checkpoint, speech, settle, precision=precision, report=report)
    record_shapes(checkpoint.model)
    return errors


def _planned(
    model: Any,
    heard: Mapping[str, Tensor],
    sparsity: float | None,
    options: Options,
    dense: Size,
    report: Report | None,
) -> dict[str, list[int]]:
    removals: dict[str, Removal] = {}
    known = groups(model)
    for done, (name, group) in enumerate(known.items()):
        if report:
            report("what each head and neuron is worth", done, len(known))
        weight = model.get_submodule(group.output).weight
        removals[name] = removal_order(
            weight, damped(heard[group.output], group.output), group.size
        )
    if report:
        report("what each head and neuron is worth", len(known), len(known))
    if options.heads is None and options.ffn is None:
        return plan(model, removals, sparsity=sparsity, dense_weights=dense.prunable)
    return plan(model, removals, heads=options.heads, ffn=options.ffn)


def _error(
    checkpoint: Checkpoint,
    group: Group,
    before: Tensor,
    kept: list[int],
    heard: Mapping[str, Tensor],
) -> float:
    columns = columns_of(torch.tensor(kept, device=before.device), group.size)
    after = torch.zeros_like(before)
    after[:, columns] = checkpoint.model.get_submodule(group.output).weight
    return layer_error(before, after, heard[group.output])
