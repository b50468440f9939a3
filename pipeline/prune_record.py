"""What a pruning did, as JSON: for pruning.json, for the summary, for a bundle's provenance."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prune.families.groups import groups
from prune.families.layers import component, prunable_layers
from prune.families.selection import chosen_layers
from prune.options import Options
from prune.schedule import Pruned
from prune.structure.size import original_name


@dataclass(frozen=True)
class Before:
    """What the dense model looked like, to tell what became of it."""

    #: Weights of each prunable layer, and whether this pruning chose it.
    weights: Mapping[str, int]
    chosen: frozenset[str]
    #: Heads or neurons of each group.
    groups: Mapping[str, int]

    @classmethod
    def of(cls, model: Any, options: Options) -> "Before":
        layers = prunable_layers(model, tied=options.tied)
        chosen = chosen_layers(model, options.layers, tied=options.tied)
        counts = {name: group.count for name, group in groups(model).items()}
        weights = {name: layer.weight.numel() for name, layer in layers.items()}
        return cls(weights, frozenset(chosen), counts)


def outcome(pruned: Pruned, before: Before, model: Any) -> dict[str, Any]:
    """Shares are fractions of one; a number that is none is null."""
    sparsity = pruned.sparsity
    whole = sum(before.weights[name] for name in before.chosen)
    gone = sum(before.weights[name] * sparsity.layers[name] for name in before.chosen)
    left = {original_name(n, pruned.origins): g.count for n, g in groups(model).items()}
    shapes = {
        name: [count, left[name]]
        for name, count in before.groups.items()
        if name in left and left[name] != count
    }
    found = {
        **asdict(sparsity),
        "chosen_layers": len(before.chosen),
        "achieved_in_chosen": gone / whole,
        "components": _components(pruned, before, model),
        "shapes": shapes,
        "dropped": sorted({_block(n) for n in before.groups if n not in left}),
        **learning(pruned),
    }
    finite: dict[str, Any] = _finite(found)
    return finite


def learning(pruned: Pruned) -> dict[str, Any]:
    """How well it could be solved, and what came of every fine-tuning."""
    found = {
        "damping": pruned.damping,
        "errors": pruned.errors,
        "lessons": [asdict(lesson) for lesson in pruned.lessons],
    }
    finite: dict[str, Any] = _finite(found)
    return finite


def _components(pruned: Pruned, before: Before, model: Any) -> list[dict[str, Any]]:
    """One row a component, in the order in which the model runs them.

    `weights` were there before and `left` after; `zeros` is the share that is gone or zero.
    """
    layers = prunable_layers(model, tied=True)
    after = {original_name(n, pruned.origins): x.weight.numel() for n, x in layers.items()}
    members: dict[str, list[str]] = defaultdict(list)
    for name in before.weights:
        members[component(name)].append(name)
    rows = []
    for place, names in members.items():
        weights = sum(before.weights[name] for name in names)
        gone = sum(before.weights[name] * pruned.sparsity.layers[name] for name in names)
        errors = [pruned.errors[name] for name in names if name in pruned.errors]
        rows.append(
            {
                "component": place,
                "layers": len(names),
                "weights": weights,
                "left": sum(after.get(name, 0) for name in names),
                "zeros": gone / weights,
                "error": sum(errors) / len(errors) if errors else None,
                "damping": max((pruned.damping.get(name, 0) for name in names), default=0) or None,
            }
        )
    return rows


def _block(group: str) -> str:
    """The transformer block that a group of heads or neurons is in."""
    inside = re.match(r".*\.\d+(?=\.)", group)
    assert inside, group
    return inside[0]


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
