"""Going through a model block by block, each hearing what the blocks before it, already cut, say.

What flows from block to block waits on disk between two of them, a clip at a time: memory does not
grow with the number of clips.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.drift import PairedCollector
from prune.families.chains import Chain, chains
from prune.families.layers import prunable_layers
from prune.forcing import Report, Speech, fitting_clips, forcing

#: Told the layers of a block and what they heard: changes the layers in place.
Settle = Callable[[list[str], PairedCollector], None]


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

    A block's statistics are of its own uncut layers, on what the cut blocks before it give, beside
    what they would hear from uncut ones. Whisper's decoder hears the cut encoder.
    """
    model = checkpoint.model
    fitting = fitting_clips(checkpoint, speech)
    run = chains(model, tied=tied)
    every = [link for chain in run for link in chain.links]
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:

        def waiting(kind: str, number: int) -> _Waiting:
            calls = _first_calls(checkpoint, speech, fitting, run[number])
            return _Waiting(Path(folder) / f"{kind} {number}", calls)

        uncut = [waiting("uncut", number) for number in range(len(run))]
        for number, chain in enumerate(run):
            streams = _Streams(uncut[number], waiting("cut", number))
            for link in chain.links:
                if report:
                    report("pruning block by block", every.index(link), len(every))
                _settle_link(model, link, streams, settle, precision)
                if link != chain.links[-1]:
                    for clip in range(len(fitting)):
                        streams.cut.pass_on(clip, model.get_submodule(link))
            streams.uncut.clear()
            streams.cut.clear()
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
    model: nn.Module, link: str, streams: "_Streams", settle: Settle, precision: torch.dtype
) -> None:
    layers = {
        name: layer
        for name, layer in prunable_layers(model, tied=True).items()
        if name == link or name.startswith(f"{link}.")
    }
    collector = PairedCollector(layers, precision)
    module = model.get_submodule(link)
    with collector:
        for clip, real_frames in enumerate(streams.cut.real_frames):
            collector.real_frames = real_frames
            with collector.uncut():
                streams.uncut.pass_on(clip, module)
            args, kwargs = streams.cut.get(clip)
            module(*args, **kwargs)
    settle(list(layers), collector)


class _Waiting:
    """Calls on disk, one file a clip."""

    def __init__(self, folder: Path, calls: Iterator[Call]):
        self._folder = folder
        folder.mkdir()
        self.real_frames: list[int | None] = []
        for clip, (args, kwargs, real_frames) in enumerate(calls):
            self._put(clip, args, kwargs)
            self.real_frames.append(real_frames)

    def get(self, clip: int) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        found: tuple[tuple[Tensor, ...], dict[str, Any]] = torch.load(
            self._folder / f"{clip}.pt", weights_only=True
        )
        return found

    def pass_on(self, clip: int, module: nn.Module) -> None:
        """What the block gives is what the next one gets."""
        args, kwargs = self.get(clip)
        given = module(*args, **kwargs)
        given = given[0] if isinstance(given, tuple) else given
        if args:
            args = (given, *args[1:])
        else:
            kwargs = {"hidden_states": given} | {
                key: value for key, value in kwargs.items() if key != "hidden_states"
            }
        self._put(clip, args, kwargs)

    def clear(self) -> None:
        shutil.rmtree(self._folder)

    def _put(self, clip: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        torch.save((args, kwargs), self._folder / f"{clip}.pt")


@dataclass(frozen=True)
class _Streams:
    """What comes to a block from the model as it was, and from what the blocks before became."""

    uncut: _Waiting
    cut: _Waiting
