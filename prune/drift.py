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

#: How far towards what was said of the uncut model's inputs, 0 to 1.
_SHARE = 0.5

#: Added to the Hessian's diagonal, as a share of its mean: what was seldom heard teaches little.
_DOUBT = 0.1


class PairedCollector(Collector):
    """Hears each clip twice: as the uncut model gives it (`uncut`), then as the cut one does.

    In a block with nothing cut before it these are the same: there it hears each clip once, as of
    the cut one, and finds no drift.
    """

    def __init__(self, layers: Mapping[str, nn.Module], precision: torch.dtype = torch.float32):
        super().__init__(layers, precision)
        self._changes: dict[str, Tensor] = {}
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
        """By layer the mean outer product of how its output has changed with its input now."""
        found = {}
        for name, owner in self._owner.items():
            weight = self._weight(name)
            if owner not in self._changes:
                found[name] = torch.zeros_like(weight)
                continue
            mean = self._changes[owner] / self._counts[owner]
            found[name] = mean if self._is_narrow(owner) else weight @ mean
        return found

    def _add(self, name: str, rows: Tensor) -> None:
        if self._hears_uncut:
            self._uncut.append(rows)
            return
        super()._add(name, rows)
        if not self._uncut:
            return
        change = self._uncut.popleft() - rows
        if self._is_narrow(name):
            change = change @ self._weight(name).T
        self._changes[name] = self._changes.get(name, 0) + change.T @ rows

    def _is_narrow(self, name: str) -> bool:
        """Whether less is multiplied if the change of the output is taken at once: for a layer with
        few outputs, and an input of its own."""
        outputs, inputs = self._weight(name).shape
        return 2 * outputs < inputs and list(self._owner.values()).count(name) == 1

    def _weight(self, name: str) -> Tensor:
        weight = self._layers[name].weight
        assert isinstance(weight, Tensor)
        return weight.flatten(1).to(self._precision)


def drawn_back(weight: Tensor, drift: Tensor, hessian: Damped) -> Tensor:
    """The weights that the layer would have if nothing were cut from it, for its inputs now."""
    if not drift.any():
        return weight
    system = hessian.hessian.clone()
    system.diagonal().add_(_DOUBT * system.diagonal().mean())
    change: Tensor = solved(system, drift.T).T.to(weight)
    return weight + _SHARE * change
