"""What each layer hears on calibration speech: its Hessian X Xᵀ / n, never the raw activations."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prune.checkpoint import Checkpoint
from prune.families.layers import hears_padding, prunable_layers
from speech.errors import BadInput
from speech.features import LogMel, normalise_waveform

Floats = NDArray[np.float32]
Progress = Callable[[int], None]


@torch.no_grad()
def hessians(
    checkpoint: Checkpoint,
    spoken: Iterable[tuple[Floats, str]],
    *,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Mean outer product of every prunable layer's inputs, fp32, shape (inputs, inputs).

    `spoken` gives clips with their texts: Whisper's decoder is fed the text, whatever it would
    have said itself. Frames that only fill up the window are left out, and so are clips longer
    than it, whose text belongs to more than one window. Layers with the same input share a tensor.
    """
    collector = _Collector(prunable_layers(checkpoint.model))
    listen = _whisper(checkpoint) if checkpoint.family == "whisper" else _ctc(checkpoint)
    heard = 0
    with collector:
        for samples, text in spoken:
            frames = listen(samples, text, collector)
            heard += frames
            if progress and frames:
                progress(heard)
    if not heard:
        raise BadInput("There is no clip to calibrate on that fits the model's window.")
    return collector.means()


Listen = Callable[[Floats, str, "_Collector"], int]


def _whisper(checkpoint: Checkpoint) -> Listen:
    model, tokenizer = checkpoint.model, checkpoint.processor.tokenizer
    features = LogMel.from_config(checkpoint.feature_settings)
    longest = model.config.max_target_positions

    def listen(samples: Floats, text: str, collector: "_Collector") -> int:
        if len(samples) > features.window_samples:
            return 0
        mel = torch.from_numpy(features(samples))[None].to(model.device)
        tokens = torch.tensor([tokenizer(f" {text.strip()}").input_ids[:-1][:longest]])
        collector.real_frames = -(-len(samples) // (2 * features.hop))
        model(input_features=mel, decoder_input_ids=tokens.to(model.device))
        return 1

    return listen


def _ctc(checkpoint: Checkpoint) -> Listen:
    model = checkpoint.model
    normalise = checkpoint.feature_settings.get("do_normalize", True)

    def listen(samples: Floats, text: str, collector: "_Collector") -> int:
        heard = normalise_waveform(samples) if normalise else samples
        model(torch.from_numpy(heard)[None].to(model.device))
        return 1

    return listen


class _Collector:
    """Adds up outer products in forward hooks; layers that get the same tensor add up once."""

    def __init__(self, layers: Mapping[str, nn.Module]):
        self.real_frames = 0
        self._layers = layers
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
        self._last = None

    def means(self) -> dict[str, Tensor]:
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
                rows = self._rows(name, layer, given[0])
                self._sums[name] = self._sums.get(name, 0) + rows.T @ rows
                self._counts[name] = self._counts.get(name, 0) + len(rows)

        return add

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
            return patches.transpose(1, 2).flatten(2).flatten(0, 1).float()
        if hears_padding(name):
            given = given[:, : self.real_frames]
        return given.flatten(0, -2).float()
