"""Slicing groups of a model as a pruning does it, with what is kept of each given by the test."""

from collections.abc import Mapping, Sequence
from typing import Any

from prune.families.groups import groups
from prune.reconstruct import Damped
from prune.structure.shapes import record_shapes
from prune.structure.slicing import cut


def cut_all(
    model: Any,
    kept: Mapping[str, Sequence[int]],
    hessians: Mapping[str, Damped] | None = None,
) -> None:
    """`hessians` are of the output layers' inputs; a layer without one is only sliced."""
    known = groups(model)
    for name, indices in kept.items():
        cut(model, known[name], indices, (hessians or {}).get(known[name].output))
    record_shapes(model)
