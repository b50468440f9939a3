"""What earlier cuts have done to the inputs of a layer, and what it should say to make up for it.

A block after cut ones hears something else than in the uncut model. Fitted to say on that what its
weights say on it, its layers would pass every error on; here they are drawn towards what they said
of the uncut model's inputs. Half of the way: all of it fits the calibration clips alone.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from prune.linear_algebra import solved
from prune.reconstruct import Damped
from prune.statistics import Collector

#: How far towards what was said of the uncut model's inputs, 0 to 1. On demo-whisper a quarter and
#: a half do equally well, and one is worse than nothing.
_SHARE = 0.5

#: Added to the Hessian's diagonal, as a share of its mean: what was seldom heard teaches little.
_DOUBT = 0.1


class PairedCollector(Collector):
    """Hears each clip twice: as the uncut model gives it (`uncut`), then as the cut one does."""

    def __init__(self, layers: Mapping[str, nn.Module], precision: torch.dtype = torch.float32):
        super().__init__(layers, precision)
        self._drifts: dict[str, Tensor] = {}
        self._uncut: deque[Tensor] = deque()
        self._hears_uncut = False

    @contextmanager
    def uncut(self) -> Iterator[None]:
        """Keep what is heard now to compare the next hearing with; the same calls must follow."""
        self._hears_uncut = True
        try:
            yield
        finally:
            self._hears_uncut = False

    def drifts(self) -> dict[str, Tensor]:
        """By layer the mean outer product of the input's change with the input as it is now."""
        mean = {name: total / self._counts[name] for name, total in self._drifts.items()}
        return {name: mean[owner] for name, owner in self._owner.items()}

    def _add(self, name: str, rows: Tensor) -> None:
        if self._hears_uncut:
            self._uncut.append(rows)
            return
        super()._add(name, rows)
        change = self._uncut.popleft() - rows
        self._drifts[name] = self._drifts.get(name, 0) + change.T @ rows


def drawn_back(weight: Tensor, drift: Tensor, hessian: Damped) -> Tensor:
    """The weights that the layer would have if nothing were cut from it, for its inputs now."""
    if not drift.any():
        return weight
    system = hessian.hessian.clone()
    system.diagonal().add_(_DOUBT * system.diagonal().mean())
    wanted = weight.to(system) @ drift
    change: Tensor = solved(system, wanted.T).T.to(weight)
    return weight + _SHARE * change
