"""Which heads and blocks a model misses least: tried on speech, by how far its answers move.

What a layer can make up for by itself is a good measure for neurons, of which there are many
alike. Heads and blocks are few and each for itself, and no layer's own error says what later
layers make of it.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.exam import Exam
from prune.families.groups import Heads, blocks, groups, stacks
from prune.forcing import Report, Speech, fitting_clips
from prune.reconstruct import Damped
from prune.structure.greedy import cheapest
from prune.structure.saliency import columns_of, compensate
from speech.errors import BadInput

#: Clips that are listened to again and again.
_CLIPS = 32


@torch.no_grad()
def choose_heads(
    checkpoint: Checkpoint,
    speech: Speech,
    orders: Mapping[str, Tensor],
    hessians: Mapping[str, Damped],
    count: int,
    *,
    report: Report | None = None,
) -> dict[str, list[int]]:
    """The heads that stay in each attention when `count` of all go, one staying in each.

    Within an attention they go in the order that `orders` gives for its group; `hessians` of the
    output layers' inputs, by layer, let the others make up for them. The model ends as it began.
    """
    model = checkpoint.model
    known = {n: g for n, g in groups(model).items() if isinstance(g, Heads) and n in orders}
    exam = _exam(checkpoint, speech)
    dense = {n: model.get_submodule(g.output).weight.clone() for n, g in known.items()}
    shown = dict.fromkeys(known, 0)
    ahead = _Ahead(exam, model)

    def show(name: str, gone: int) -> None:
        group, weight = known[name], model.get_submodule(known[name].output).weight
        weight.copy_(dense[name])
        if gone:
            columns = columns_of(orders[name][gone:].sort().values, group.size)
            weight.zero_()
            weight[:, columns] = compensate(dense[name], hessians[group.output], columns)
        shown[name] = gone

    def damage(gone: Mapping[str, int]) -> float:
        changed = [name for name in known if gone[name] != shown[name]]
        for name in changed:
            show(name, gone[name])
        return ahead.divergence(changed)

    def progress(done: int) -> None:
        if report:
            report("trying to do without heads", done, count)

    try:
        room = {name: group.count - 1 for name, group in known.items()}
        gone = cheapest(room, count, damage, progress=progress)
    finally:
        exam.replay.stop()
        for name in known:
            show(name, 0)
    return {name: sorted(orders[name][gone[name] :].tolist()) for name in known}


@torch.no_grad()
def choose_blocks(
    checkpoint: Checkpoint, speech: Speech, share: float, *, report: Report | None = None
) -> list[str]:
    """The transformer blocks to drop, `share` of all; each stack keeps at least one."""
    model = checkpoint.model
    stacked = {stack.name: blocks(model, stack) for stack in stacks(model)}
    every = [name for names in stacked.values() for name in names]
    if not 0 <= share < 1:
        raise BadInput(f"blocks {share} is not a share from 0 up to, but not including, 1.")
    count = round(share * len(every))
    if count > len(every) - len(stacked):
        raise BadInput(
            f"blocks {share} would take {count} of {len(every)} blocks, but one must stay in each "
            f"stack: {len(every) - len(stacked)} can go."
        )
    if not count:
        return []
    exam = _exam(checkpoint, speech)

    def damage(gone: Mapping[str, int]) -> float:
        stays = {place: [n for n in names if not gone[n]] for place, names in stacked.items()}
        if not all(stays.values()):
            return math.inf
        with _only(model, stays):
            return exam.divergence()

    def progress(done: int) -> None:
        if report:
            report("trying to do without blocks", done, count)

    gone = cheapest(dict.fromkeys(every, 1), count, damage, together=0, progress=progress)
    return [name for name in every if gone[name]]


def _exam(checkpoint: Checkpoint, speech: Speech) -> Exam:
    chosen = fitting_clips(checkpoint, speech)[:_CLIPS]
    return Exam(checkpoint, [speech[index] for index in chosen])


class _Ahead:
    """Does not compute again what is ahead of the last stack, while nothing there changes.

    That is the encoder of Whisper, and elsewhere the feature extractor.
    """

    def __init__(self, exam: Exam, model: Any):
        self._exam, self._last = exam, stacks(model)[-1].name
        self._is_recorded = False

    def divergence(self, changed: list[str]) -> float:
        """With the weights as they are now; `changed` are the groups cut since the last time."""
        if any(not name.startswith(f"{self._last}.") for name in changed):
            self._exam.replay.stop()
            self._is_recorded = False
        elif not self._is_recorded:
            self._exam.start_at(f"{self._last}.0")
            self._is_recorded = True
        return self._exam.divergence()


@contextmanager
def _only(model: Any, stays: Mapping[str, list[str]]) -> Iterator[None]:
    """The model with some of its blocks alone; no cache, so their places do not matter."""
    before = {name: model.get_submodule(name) for name in stays}
    chosen = {name: [model.get_submodule(block) for block in stays[name]] for name in stays}
    try:
        for name, modules in chosen.items():
            model.set_submodule(name, nn.ModuleList(modules))
        yield
    finally:
        for name, module in before.items():
            model.set_submodule(name, module)
