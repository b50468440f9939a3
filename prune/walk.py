"""Going through a model block by block, each hearing what the blocks before it, already cut, say.

What flows from block to block waits on disk between two of them, a clip at a time: memory does not
grow with the number of clips.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.families.chains import Chain, chains
from prune.families.layers import prunable_layers
from prune.forcing import Report, Speech, fitting_clips, forcing
from prune.statistics import Collector

#: Told the layers of a block and what they heard: changes the layers in place.
Settle = Callable[[list[str], Collector], None]


@torch.no_grad()
def walk(
    checkpoint: Checkpoint,
    speech: Speech,
    settle: Settle,
    *,
    precision: torch.dtype = torch.float32,
    tied: bool = False,
    report: Report | None = None,
) -> None:
    """Call `settle` for each block in the order in which the model runs them.

    A block's statistics are of its own uncut layers, on what the cut blocks before it give;
    Whisper's decoder hears the cut encoder.
    """
    model = checkpoint.model
    fitting = fitting_clips(checkpoint, speech)
    run = chains(model, tied=tied)
    every = [link for chain in run for link in chain.links]
    for chain in run:
        with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
            waiting = _Waiting(Path(folder))
            frames = [
                waiting.put(i, call)
                for i, call in enumerate(_first_calls(checkpoint, speech, fitting, chain))
            ]
            for link in chain.links:
                if report:
                    report("pruning block by block", every.index(link), len(every))
                _settle_link(model, link, waiting, frames, settle, precision)
                if link != chain.links[-1]:
                    _pass_on(model.get_submodule(link), waiting, len(frames))
    if report:
        report("pruning block by block", len(every), len(every))


class _Reached(Exception):  # noqa: N818 - it reports an arrival, not an error
    """A forward pass has come to the block in question, with this call."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.args_given, self.kwargs_given = args, kwargs


Call = tuple[tuple[Any, ...], dict[str, Any], int | None]


def _first_calls(
    checkpoint: Checkpoint, speech: Speech, fitting: list[int], chain: Chain
) -> Iterator[Call]:
    """How the model calls the chain's first link on every clip."""

    def stop(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Reached(args, kwargs)

    force = forcing(checkpoint)
    hook = checkpoint.model.get_submodule(chain.links[0]).register_forward_pre_hook(
        stop, with_kwargs=True
    )
    try:
        for index in fitting:
            forced = force(*speech[index])
            assert forced is not None
            try:
                checkpoint.model(**forced.inputs)
            except _Reached as call:
                yield call.args_given, call.kwargs_given, forced.real_frames
            else:
                raise AssertionError(f"{chain.links[0]} is never called")
    finally:
        hook.remove()


def _settle_link(
    model: nn.Module,
    link: str,
    waiting: "_Waiting",
    frames: list[int | None],
    settle: Settle,
    precision: torch.dtype,
) -> None:
    layers = {
        name: layer
        for name, layer in prunable_layers(model, tied=True).items()
        if name == link or name.startswith(f"{link}.")
    }
    collector = Collector(layers, precision)
    module = model.get_submodule(link)
    with collector:
        for clip, real_frames in enumerate(frames):
            args, kwargs = waiting.get(clip)
            collector.real_frames = real_frames
            module(*args, **kwargs)
    settle(list(layers), collector)


def _pass_on(module: nn.Module, waiting: "_Waiting", clips: int) -> None:
    """What the cut block gives is what the next one gets."""
    for clip in range(clips):
        args, kwargs = waiting.get(clip)
        given = module(*args, **kwargs)
        given = given[0] if isinstance(given, tuple) else given
        if args:
            args = (given, *args[1:])
        else:
            kwargs = {"hidden_states": given} | {
                key: value for key, value in kwargs.items() if key != "hidden_states"
            }
        waiting.put(clip, (args, kwargs, None))


class _Waiting:
    """Calls on disk, one file a clip."""

    def __init__(self, folder: Path):
        self._folder = folder

    def put(self, clip: int, call: Call) -> int | None:
        """Write one down; gives back its count of real frames."""
        args, kwargs, real_frames = call
        torch.save((args, kwargs), self._folder / f"{clip}.pt")
        return real_frames

    def get(self, clip: int) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        found: tuple[tuple[Tensor, ...], dict[str, Any]] = torch.load(
            self._folder / f"{clip}.pt", weights_only=True
        )
        return found
