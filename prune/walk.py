"""Going through a model block by block, each hearing what the blocks before it, already cut, say.

What flows from block to block waits on disk between two of them, a clip at a time: memory does not
grow with the number of clips.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.drift import PairedCollector
from prune.families.chains import chains
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
        heard = _heard(checkpoint, speech, fitting, Path(folder) / "heard")
        uncut = [_Waiting(Path(folder) / f"uncut {number}") for number in range(len(run))]
        first = [chain.links[0] for chain in run]
        _record(model, heard, dict(zip(first, uncut, strict=True)))
        for chain, before in zip(run, uncut, strict=True):
            now = _Waiting(Path(folder) / "cut")
            if chain == run[0]:
                now.take_over(before)
            else:
                _record(model, heard, {chain.links[0]: now})
            for link in chain.links:
                if report:
                    report("pruning block by block", every.index(link), len(every))
                streams, is_first = _Streams(before, now), link == every[0]
                _settle_link(model, link, streams, settle, precision, is_first=is_first)
                if link != chain.links[-1]:
                    for clip in range(len(fitting)):
                        now.pass_on(clip, model.get_submodule(link))
            before.clear()
            now.clear()
    if report:
        report("pruning block by block", len(every), len(every))


class _Done(Exception):  # noqa: N818 - it ends a forward pass, for nothing after it is wanted
    pass


def _heard(checkpoint: Checkpoint, speech: Speech, fitting: list[int], place: Path) -> "_Waiting":
    """How the model itself is called."""
    waiting, force = _Waiting(place), forcing(checkpoint)
    for index in fitting:
        forced = force(*speech[index])
        assert forced is not None
        waiting.add((), forced.inputs, forced.real_frames)
    return waiting


def _record(model: nn.Module, heard: "_Waiting", places: Mapping[str, "_Waiting"]) -> None:
    """Write down how the model calls these modules, which are named in the order of its calls."""
    reached: list[str] = []
    real_frames: int | None = None

    def hook(link: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def write(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            places[link].add(args, kwargs, real_frames)
            reached.append(link)
            if len(reached) == len(places):
                raise _Done

        return write

    hooks = [
        model.get_submodule(link).register_forward_pre_hook(hook(link), with_kwargs=True)
        for link in places
    ]
    try:
        for clip, real_frames in enumerate(heard.real_frames):  # noqa: B007 - the hook reads it
            _, kwargs = heard.get(clip)
            with suppress(_Done):
                model(**kwargs)
            assert reached == list(places), "modules are called in another order, or never"
            reached.clear()
    finally:
        for each in hooks:
            each.remove()


def _settle_link(
    model: nn.Module,
    link: str,
    streams: "_Streams",
    settle: Settle,
    precision: torch.dtype,
    *,
    is_first: bool,
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
            if is_first:  # nothing is cut yet
                streams.uncut.pass_on(clip, module)
                continue
            with collector.uncut():
                streams.uncut.pass_on(clip, module)
            args, kwargs = streams.cut.get(clip)
            module(*args, **kwargs)
    settle(list(layers), collector)


class _Waiting:
    """Calls on disk, one file a clip."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir()
        self.real_frames: list[int | None] = []

    def add(self, args: tuple[Any, ...], kwargs: dict[str, Any], real_frames: int | None) -> None:
        self._put(len(self.real_frames), args, kwargs)
        self.real_frames.append(real_frames)

    def take_over(self, other: "_Waiting") -> None:
        shutil.copytree(other._folder, self._folder, dirs_exist_ok=True)
        self.real_frames = list(other.real_frames)

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
