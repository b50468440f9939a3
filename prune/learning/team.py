"""The processes that fine-tune one model together, and what passes between them: sums."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Thing = TypeVar("Thing")

#: Numbers that are summed at once: few sums, and little memory beside the gradients' own.
_AT_ONCE = 32 << 20


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Team:
    rank: int = 0
    size: int = 1
    #: Over all processes, each of which must ask; the same bits for all.
    summed: Callable[[Tensor], Tensor] = _as_it_is

    def share(self, things: Sequence[Thing]) -> Sequence[Thing]:
        """Those that are this process's to do, perhaps none."""
        return things[self.rank :: self.size]

    def total(self, number: float, device: torch.device) -> float:
        if self.size == 1:
            return number
        return float(self.summed(torch.tensor(number, dtype=torch.float64, device=device)))

    def sum_gradients(self, weights: Iterable[nn.Parameter], fine: bool) -> bool:
        """Every process's gradients become the sum of all; False if one of them is not `fine`.

        A weight that nobody has a gradient for keeps none, as in one process alone.
        """
        if self.size == 1:
            return fine
        learning = [weight for weight in weights if weight.requires_grad]
        device = learning[0].device
        told = [float(not fine), *(float(weight.grad is not None) for weight in learning)]
        broken, *used = self.summed(torch.tensor(told, device=device)).tolist()
        if broken:
            return False
        moved = [weight for weight, count in zip(learning, used, strict=True) if count]
        for box in _boxes(moved):
            self._sum(box)
        return True

    def _sum(self, weights: Sequence[nn.Parameter]) -> None:
        mine = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        together = self.summed(torch.cat([gradient.flatten() for gradient in mine]))
        parts = together.split([weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight).clone()


ALONE = Team()


def _boxes(weights: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    boxes, room = list[list[nn.Parameter]](), 0
    for weight in weights:
        if not boxes or weight.numel() > room:
            boxes.append([])
            room = _AT_ONCE
        boxes[-1].append(weight)
        room -= weight.numel()
    return boxes
