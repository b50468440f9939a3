"""Going through a model block by block, each hearing what the blocks before it, already cut, say.

What flows from block to block waits between two of them, a clip at a time: in memory as long as it
is little, the rest on disk, so that memory does not grow with the number of clips.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.drift import PairedCollector
from prune.families.chains import Chain, chains
from prune.families.layers import prunable_layers
from prune.forcing import Report, Speech, fitting_clips, forcing

#: Bytes of what flows between blocks that may wait in memory.
IN_MEMORY = 256 << 20

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
        room = _Room(IN_MEMORY)
        heard = _heard(checkpoint, speech, fitting, _Waiting(Path(folder) / "heard", room))
        said_uncut: dict[Chain, _Waiting] = {}
        said_cut: dict[Chain, _Waiting] = {}
        for number, chain in enumerate(run):
            uncut = _Waiting(Path(folder) / f"uncut {number}", room)
            cut = _Waiting(Path(folder) / f"cut {number}", room)
            _record(model, heard, chain, uncut, said_uncut)
            if number == 0:
                cut.take_over(uncut)
            else:
                _record(model, heard, chain, cut, said_cut)
            for link in chain.links:
                if report:
                    report("pruning block by block", every.index(link), len(every))
                streams, is_first = _Streams(uncut, cut), link == every[0]
                _settle_link(model, link, streams, settle, precision, is_first=is_first)
                if link != every[-1]:
                    for clip in range(len(fitting)):
                        cut.pass_on(clip, model.get_submodule(link))
            said_uncut[chain], said_cut[chain] = uncut, cut
    if report:
        report("pruning block by block", len(every), len(every))


class _Done(Exception):  # noqa: N818 - it ends a forward pass, for nothing after it is wanted
    pass


def _heard(
    checkpoint: Checkpoint, speech: Speech, fitting: list[int], waiting: "_Waiting"
) -> "_Waiting":
    """How the model itself is called."""
    force = forcing(checkpoint)
    for index in fitting:
        forced = force(*speech[index])
        assert forced is not None
        waiting.add((), forced.inputs, forced.real_frames)
    return waiting


def _record(
    model: nn.Module,
    heard: "_Waiting",
    chain: Chain,
    place: "_Waiting",
    said: Mapping[Chain, "_Waiting"],
) -> None:
    """Write down how the model calls the chain, where the chains before it say what they said."""

    def write(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        place.add(args, kwargs, heard.real_frames[clip])
        raise _Done

    first = model.get_submodule(chain.links[0])
    hook = first.register_forward_pre_hook(write, with_kwargs=True)
    try:
        for clip in range(len(heard.real_frames)):
            _, kwargs = heard.get(clip)
            with suppress(_Done), _repeated(model, said, clip):
                model(**kwargs)
        assert len(place.real_frames) == len(heard.real_frames), f"{chain} was not called"
    finally:
        hook.remove()


@contextmanager
def _repeated(model: nn.Module, said: Mapping[Chain, "_Waiting"], clip: int) -> Iterator[None]:
    """Each link of those chains gives at once what the last one had made of this clip."""
    modules = [model.get_submodule(link) for chain in said for link in chain.links]
    once = {chain: waiting.answer(clip) for chain, waiting in said.items()}
    answers = [once[chain] for chain in said for _ in chain.links]
    try:
        for module, answer in zip(modules, answers, strict=True):
            module.forward = partial(_given, answer)
        yield
    finally:
        for module in modules:
            del module.forward


def _given(answer: Any, *_args: Any, **_kwargs: Any) -> Any:
    return answer


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


@dataclass
class _Room:
    """Bytes of memory that are left for what waits."""

    left: int


class _Waiting:
    """Calls, one a clip: in memory while there is room, else one file each."""

    def __init__(self, folder: Path, room: _Room):
        self._folder, self._room = folder, room
        folder.mkdir()
        self._kept: dict[int, Any] = {}
        self.real_frames: list[int | None] = []
        #: What the last block gave beside its answer; None where that was all.
        self._beside: tuple[Any, ...] | None = None

    def add(self, args: tuple[Any, ...], kwargs: dict[str, Any], real_frames: int | None) -> None:
        self._put(len(self.real_frames), args, kwargs)
        self.real_frames.append(real_frames)

    def take_over(self, other: "_Waiting") -> None:
        for clip, real_frames in enumerate(other.real_frames):
            self.add(*other.get(clip), real_frames)

    def get(self, clip: int) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        found: tuple[tuple[Tensor, ...], dict[str, Any]]
        if clip in self._kept:
            found = _copied(self._kept[clip])  # a module may write into what it is given
        else:
            found = torch.load(self._folder / f"{clip}.pt", weights_only=True)
        return found

    def pass_on(self, clip: int, module: nn.Module) -> None:
        """What the block gives is what the next one gets."""
        args, kwargs = self.get(clip)
        given = module(*args, **kwargs)
        if isinstance(given, tuple):
            given, *beside = given
            self._beside = tuple(beside)
        if args:
            args = (given, *args[1:])
        else:
            kwargs = {"hidden_states": given} | {
                key: value for key, value in kwargs.items() if key != "hidden_states"
            }
        self._put(clip, args, kwargs)

    def answer(self, clip: int) -> Any:
        """What the last block gave, in the form in which it did."""
        args, kwargs = self.get(clip)
        given = args[0] if args else kwargs["hidden_states"]
        return given if self._beside is None else (given, *self._beside)

    def _put(self, clip: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        content = (args, kwargs)
        self._room.left += _bytes(self._kept.pop(clip, None))
        if (size := _bytes(content)) <= self._room.left:
            self._kept[clip] = _copied(content)
            self._room.left -= size
        else:
            torch.save(content, self._folder / f"{clip}.pt")


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, tuple | list) else 0


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return type(value)(map(_copied, value)) if isinstance(value, tuple | list) else value


@dataclass(frozen=True)
class _Streams:
    """What comes to a block from the model as it was, and from what the blocks before became."""

    uncut: _Waiting
    cut: _Waiting
