"""What a bundle computes and reads for one clip, counted in its graphs: for guesses of speed.

Products with weights, convolutions and attention are counted; all else is small beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from device_profiles.estimate import Work
from export.symbolic import evaluated
from runtime.bundle import Bundle
from runtime.rules import WhisperRules
from speech.audio import RATE
from speech.errors import BadInput
from speech.feature_settings import LogMelSettings

#: Whose products are of whole numbers: 4-bit weights meet 8-bit inputs, too.
_INT8 = ("MatMulIntegerToFloat", "MatMulInteger", "ConvInteger", "MatMulNBits")
_PRODUCTS = ("MatMul", *_INT8[:2])


def bundle_work(
    bundle: Bundle, *, audio_seconds: float, tokens: float = 0.0, window: float | None = None
) -> Work:
    """Of a clip of so many seconds in which so many tokens are found.

    A Whisper model hears its whole window however short the clip is, unless `window` says less.
    """
    try:
        if bundle.manifest.family == "ctc":
            graph = _Graph(bundle.graph("model"))
            return graph.work({graph.free("input_values", 1): round(audio_seconds * RATE)})
        return _whisper(bundle, audio_seconds, tokens, window)
    except (ValueError, KeyError, IndexError) as problem:
        raise BadInput(
            f"What {bundle.folder} computes cannot be counted ({problem}): export it again."
        ) from problem


def _whisper(bundle: Bundle, audio_seconds: float, tokens: float, window: float | None) -> Work:
    features = LogMelSettings.from_config(bundle.manifest.features)
    trained = features.window_seconds
    seconds = min(trained, window or trained)
    windows = max(1, math.ceil(audio_seconds / seconds))
    frames = round(seconds * RATE / features.hop)
    encoder, decoder = _Graph(bundle.graph("encoder")), _Graph(bundle.graph("decoder"))
    sizes = {encoder.free("input_features", 2): frames}
    heard = encoder.output_size(1, 2, sizes)
    rules = bundle.manifest.decoding
    assert isinstance(rules, WhisperRules)  # the manifest is checked
    prompt = len(rules.prefix)
    names = {"tokens": decoder.free("tokens", 1), "past": decoder.free("past_key_0", 2)}
    about = {decoder.free("cross_value_0", 2): heard}
    first = decoder.work({**about, names["tokens"]: prompt, names["past"]: 0})
    middle = prompt + round(tokens / windows / 2)
    step = decoder.work({**about, names["tokens"]: 1, names["past"]: middle})
    return (encoder.work(sizes) + first) * windows + step * tokens


class _Graph:
    """Of an ONNX file only the shapes: weights elsewhere are not read."""

    def __init__(self, path: Path):
        import onnx  # Imported here: most of this room's users come without a graph to count.

        try:
            graph = onnx.load(path, load_external_data=False).graph
        except Exception as error:  # protobuf's own, which is no ValueError
            raise ValueError(f"{path.name} is no ONNX graph") from error
        self._nodes = graph.node
        self._inputs, self._outputs = graph.input, graph.output
        self._weights = {weight.name: weight for weight in graph.initializer}
        told = [*graph.value_info, *graph.input, *graph.output]
        self._shapes = {value.name: _dims(value) for value in told}

    def free(self, name: str, axis: int) -> str:
        """What an input's size along an axis is called."""
        size = self._shapes[name][axis]
        if isinstance(size, int):
            raise ValueError(f"{name} always has {size} along axis {axis}")
        return size

    def output_size(self, place: int, axis: int, sizes: Mapping[str, int]) -> int:
        return self._shape(self._outputs[place].name, sizes)[axis]

    def work(self, sizes: Mapping[str, int]) -> Work:
        """With the free sizes as given."""
        total = Work({}, self._weight_bytes())
        for node in self._nodes:
            if operations := self._operations(node, sizes):
                total += Work({"int8" if node.op_type in _INT8 else "fp32": operations})
        return total

    def _operations(self, node: Any, sizes: Mapping[str, int]) -> float:
        if node.op_type == "MultiHeadAttention":
            return self._attention(node, sizes)
        if node.op_type in ("Conv", "ConvInteger"):
            _, *kernel = self._shape(node.input[1], sizes)
            out = math.prod(self._shape(node.output[0], sizes))
            return 2.0 * out * math.prod(kernel)
        if node.op_type == "MatMulNBits":
            deep = next(mark.i for mark in node.attribute if mark.name == "K")
            return 2.0 * math.prod(self._shape(node.output[0], sizes)) * int(deep)
        if node.op_type in _PRODUCTS:
            deep = self._shape(node.input[1], sizes)[-2]
            return 2.0 * math.prod(self._shape(node.output[0], sizes)) * deep
        return 0.0

    def _attention(self, node: Any, sizes: Mapping[str, int]) -> float:
        """Scores, and values weighted by them: two products as deep as the heads are wide."""
        asked = self._shape(node.input[0], sizes)
        keys = self._shape(node.input[1], sizes)
        seen = keys[-2]
        if len(node.input) > 6 and node.input[6]:
            seen += self._shape(node.input[6], sizes)[-2]
        return 4.0 * math.prod(asked) * seen

    def _weight_bytes(self) -> float:
        """An embedding is read by the row, so what is only gathered from is left out."""
        read = {name for node in self._nodes if node.op_type != "Gather" for name in node.input}
        return sum(_bytes(weight) for name, weight in self._weights.items() if name in read)

    def _shape(self, name: str, sizes: Mapping[str, int]) -> Sequence[int]:
        if name in self._weights:
            return list(self._weights[name].dims)
        if name not in self._shapes:
            raise ValueError(f"the graph does not say what size {name!r} has")
        return [
            size if isinstance(size, int) else evaluated(size, sizes) for size in self._shapes[name]
        ]


def _dims(value: Any) -> list[int | str]:
    dims: Iterable[Any] = value.type.tensor_type.shape.dim
    return [dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else "?") for dim in dims]


def _bytes(weight: Any) -> float:
    import onnx

    kind = onnx.helper.tensor_dtype_to_np_dtype(weight.data_type)
    return float(math.prod(weight.dims) * kind.itemsize)
