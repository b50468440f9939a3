"""Cutting out heads and FFN neurons: what to spare from the dense model, then block by block."""

from collections.abc import Mapping

import torch
from torch import Tensor

from prune.checkpoint import Checkpoint
from prune.drift import PairedCollector, drawn_back
from prune.families.groups import Group, Heads, groups
from prune.forcing import Report, Speech
from prune.options import Options
from prune.reconstruct import damped, layer_error
from prune.statistics import hessians
from prune.structure.budget import Kept, plan
from prune.structure.layers import drop_layers
from prune.structure.saliency import Removal, columns_of, removal_order
from prune.structure.shapes import record_shapes
from prune.structure.size import Size
from prune.structure.slicing import cut
from prune.trials import choose_blocks, choose_heads
from prune.walk import walk


def cut_blocks(
    checkpoint: Checkpoint, share: float, speech: Speech, *, report: Report | None = None
) -> dict[str, str]:
    """Drop the share of all transformer blocks that is missed least, in place.

    Gives back the old names of those that stay, by their new ones.
    """
    going = choose_blocks(checkpoint, speech, share, report=report)
    return drop_layers(checkpoint.model, going)


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
    kept = _planned(checkpoint, sparsity, speech, options, dense, report)
    errors: dict[str, float] = {}

    def settle(names: list[str], collector: PairedCollector) -> None:
        fresh, drifts = collector.hessians(), collector.drifts()
        known = groups(checkpoint.model)
        for name, indices in kept.items():
            group = known[name]
            if group.output in names and len(indices) < group.count:
                mended = damped(fresh[group.output], group.output)
                weight = checkpoint.model.get_submodule(group.output).weight
                target = drawn_back(weight, drifts[group.output], mended)
                weight.copy_(target)
                cut(checkpoint.model, group, indices, mended)
                errors[group.output] = _error(checkpoint, group, target, indices, fresh)

    walk(checkpoint, speech, settle, precision=precision, report=report)
    record_shapes(checkpoint.model)
    return errors


def _planned(
    checkpoint: Checkpoint,
    sparsity: float | None,
    speech: Speech,
    options: Options,
    dense: Size,
    report: Report | None,
) -> Kept:
    """How many heads and neurons go, and which neurons, by each layer's own error; then, of that
    many heads, which the whole model misses least."""
    model, known = checkpoint.model, groups(checkpoint.model)
    precision = getattr(torch, options.precision)
    heard = hessians(checkpoint, speech, precision=precision, report=report)
    mended = {group.output: damped(heard[group.output], group.output) for group in known.values()}
    removals: dict[str, Removal] = {}
    for done, (name, group) in enumerate(known.items(), start=1):
        weight = model.get_submodule(group.output).weight
        removals[name] = removal_order(weight, mended[group.output], group.size)
        if report:
            report("what each head and neuron is worth", done, len(known))
    if options.heads is None and options.ffn is None:
        kept = plan(model, removals, sparsity=sparsity, dense_weights=dense.prunable)
    else:
        kept = plan(model, removals, heads=options.heads, ffn=options.ffn)
    heads = {name: group.count for name, group in known.items() if isinstance(group, Heads)}
    going = sum(count - len(kept[name]) for name, count in heads.items())
    if not going:
        return kept
    orders = {name: removals[name].order for name in heads}
    return kept | choose_heads(checkpoint, speech, orders, mended, going, report=report)


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
