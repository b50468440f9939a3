"""Computing only what follows a cut: the blocks ahead of it give again what they gave before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from prune.families.layers import prunable_layers


class Replay:
    """Records what the modules ahead of a layer give on every batch, and plays it back.

    Right as long as no weight ahead of the layer changes; memory holds one block's outputs on all
    batches (and, past a Whisper encoder or a feature extractor, that one's too).
    """

    def __init__(self, model: nn.Module):
        self._model = model
        #: What the modules that do not compute do instead.
        self._playing: dict[nn.Module, Callable[..., Any]] = {}
        #: Which batch is about to go through the model.
        self.batch = 0

    def start_at(self, layer: str, run: Callable[[], object]) -> None:
        """Play back from now on what is ahead of the layer; `run` shows the model every batch."""
        self.stop()
        sources = ahead_of(self._model, layer)
        given: dict[str, dict[int, Any]] = {source: {} for source in sources.values()}
        hooks = [
            self._model.get_submodule(source).register_forward_hook(self._recorder(outputs))
            for source, outputs in given.items()
        ]
        try:
            if given:
                run()
        finally:
            for hook in hooks:
                hook.remove()
        for name, source in sources.items():
            self._playing[self._model.get_submodule(name)] = self._player(given[source])
        self._play()

    def stop(self) -> None:
        """The model computes everything itself again."""
        self._pause()
        self._playing.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For a while the model computes everything itself, on whatever batches."""
        self._pause()
        try:
            yield
        finally:
            self._play()

    def _play(self) -> None:
        for module, player in self._playing.items():
            module.forward = player

    def _pause(self) -> None:
        """What shadows the class's own method goes."""
        for module in self._playing:
            del module.forward

    def _recorder(self, outputs: dict[int, Any]) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _given: Any, output: Any) -> None:
            outputs[self.batch] = output

        return record

    def _player(self, outputs: dict[int, Any]) -> Callable[..., Any]:
        return lambda *_, **__: outputs[self.batch]


def ahead_of(model: nn.Module, layer: str) -> dict[str, str]:
    """The modules that need not run before a layer does, and for each whose output it is to give.

    Every block of a list gives what the last of them ahead of the layer gave: blocks in between
    hand it on, so that only that one has to be kept. The layer's own block runs as a whole.
    """
    names = list(prunable_layers(model, tied=True))
    sources: dict[str, str] = {}
    parent, place = model, ""
    for part in layer.split("."):
        earlier = []
        for child, module in parent.named_children():
            if child == part:
                break
            path = place + child
            if any(name == path or name.startswith(f"{path}.") for name in names):
                earlier.append((path, module))
        if isinstance(parent, nn.ModuleList):
            return sources | {path: earlier[-1][0] for path, _ in earlier}
        for path, module in earlier:
            sources |= _played_whole(path, module)
        parent, place = parent.get_submodule(part), f"{place}{part}."
    return sources


def _played_whole(path: str, module: nn.Module) -> dict[str, str]:
    """A list is never called itself: its blocks are."""
    if isinstance(module, nn.ModuleList):
        blocks = [f"{path}.{index}" for index in range(len(module))]
        return dict.fromkeys(blocks, blocks[-1])
    return {path: path}
