"""What each layer hears on calibration speech: its Hessian X Xᵀ / n, never the raw activations."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.families.layers import hears_padding, prunable_layers
from prune.forcing import Report, Speech, fitting_clips, forcing
from speech.errors import BadInput


@torch.no_grad()
def hessians(
    checkpoint: Checkpoint,
    speech: Speech,
    *,
    precision: torch.dtype = torch.float32,
    tied: bool = False,
    report: Report | None = None,
) -> dict[str, Tensor]:
    """Mean outer product of every prunable layer's inputs, shape (inputs, inputs), in one pass.

    Frames that only fill up the window are left out, and so are clips longer than it. Layers with
    the same input share a tensor.
    """
    collector = Collector(prunable_layers(checkpoint.model, tied=tied), precision)
    force, fitting = forcing(checkpoint), fitting_clips(checkpoint, speech)
    with collector:
        for done, index in enumerate(fitting, start=1):
            forced = force(*speech[index])
            assert forced is not None
            collector.real_frames = forced.real_frames
            checkpoint.model(**forced.inputs)
            if report:
                report("calibrating", done, len(fitting))
    return collector.hessians()


class Collector:
    """Adds up outer products in forward hooks; layers that get the same tensor add up once."""

    def __init__(self, layers: Mapping[str, nn.Module], precision: torch.dtype = torch.float32):
        self.real_frames: int | None = None
        self._layers = layers
        self._precision = precision
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        #: The layer that adds up for each layer: itself, or the first with the same input.
        self._owner: dict[str, str] = {}
        self._last: tuple[Tensor, str] | None = None
        self._hooks: list[Any] = []

    def __enter__(self) -> None:
        for name, layer in self._layers.items():
            self._hooks.append(layer.register_forward_pre_hook(self._hook(name)))

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._last = None

    def hessians(self) -> dict[str, Tensor]:
        """By layer; raises for one that met NaN or infinite inputs."""
        for name, total in self._sums.items():
            if not total.isfinite().all():
                raise BadInput(f"{name} gets NaN or infinite inputs on the calibration clips.")
        mean = {name: total / self._counts[name] for name, total in self._sums.items()}
        return {name: mean[owner] for name, owner in self._owner.items()}

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            owner = self._owner.get(name) or self._first_with(given[0], name)
            if owner == name:
                self._add(name, self._rows(name, layer, given[0]))

        return add

    def _add(self, name: str, rows: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0) + rows.T @ rows
        self._counts[name] = self._counts.get(name, 0) + len(rows)

    def _first_with(self, given: Tensor, name: str) -> str:
        """Decided on the first clip: q, k and v of an attention are called one after another."""
        if self._last is None or self._last[0] is not given:
            self._last = (given, name)
        self._owner[name] = self._last[1]
        return self._owner[name]

    def _rows(self, name: str, layer: nn.Module, given: Tensor) -> Tensor:
        """One row for every use of the layer's weights."""
        if isinstance(layer, nn.Conv1d):
            patches = given.unfold(2, layer.kernel_size[0], layer.stride[0])
            return patches.transpose(1, 2).flatten(2).flatten(0, 1).to(self._precision)
        if hears_padding(name):
            given = given[:, : self.real_frames]
        return given.flatten(0, -2).to(self._precision)
