"""Proof that the graphs of optimum's layout, through their customary inputs, say what PyTorch says.

Logits are compared after every token, the tokens being PyTorch's: whoever then chooses the
likeliest one chooses the same.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.optimum.expected import Expected
from export.optimum.merge import SWITCH
from export.parity import TOLERANCE, ExportError
from runtime.session import open_session

Floats = NDArray[np.float32]


def check_graphs(graphs: Path, expected: Sequence[Expected]) -> float:
    """The largest difference between logits; ExportError names the first clip that is beyond."""
    largest = 0.0
    for i, (clip, found) in enumerate(zip(expected, _answers(graphs, expected), strict=True)):
        where = f"clip {i + 1} of {len(expected)}"
        if found.shape != clip.logits.shape:
            raise ExportError(
                f"ONNX gives {len(found)} answers to {where} and PyTorch {len(clip.logits)}: "
                "this export cannot be trusted, please report it."
            )
        difference = float(np.abs(found - clip.logits).max(initial=0.0))
        if not difference <= TOLERANCE:
            raise ExportError(
                f"ONNX and PyTorch differ by {difference:.2g} in the logits of {where}, "
                f"more than {TOLERANCE:g}: this export cannot be trusted, please report it."
            )
        largest = max(largest, difference)
    return largest


def _answers(graphs: Path, clips: Sequence[Expected]) -> Iterator[Floats]:
    """The graphs' logits for each clip."""
    if (graphs / "model.onnx").exists():
        model = open_session(graphs / "model.onnx")
        for clip in clips:
            yield model.run(["logits"], {"input_values": clip.given})[0][0]
        return
    encoder = open_session(graphs / "encoder_model.onnx")
    decoder = open_session(graphs / "decoder_model_merged.onnx")
    for clip in clips:
        (hidden,) = encoder.run(["last_hidden_state"], {"input_features": clip.given})
        yield _decoded(decoder, hidden, clip)


def _decoded(decoder: Any, hidden: Floats, clip: Expected) -> Floats:
    """The prefix in one call, then token after token, as readers of the merged decoder do it."""
    names = [output.name for output in decoder.get_outputs()]
    past = {value.name: _empty(value.shape) for value in decoder.get_inputs() if _is_past(value)}
    found = []
    pieces = [clip.fed[: clip.prefix], *([token] for token in clip.fed[clip.prefix :])]
    for i, tokens in enumerate(pieces):
        given = {"input_ids": np.array([tokens]), "encoder_hidden_states": hidden}
        answer = dict(
            zip(names, decoder.run(None, {**given, **past, SWITCH: np.array([i > 0])}), strict=True)
        )
        found.append(answer["logits"][0])
        for name in past:
            if i == 0 or ".decoder." in name:
                past[name] = answer[name.replace("past_key_values", "present")]
    return np.concatenate(found)


def _is_past(value: Any) -> bool:
    return str(value.name).startswith("past_key_values.")


def _empty(sizes: Sequence[int | str]) -> Floats:
    """A cache of no positions; where heads vary, readers guess their count, so one will do."""
    counts = [size if isinstance(size, int) else 1 for size in sizes]
    counts[2] = 0
    return np.zeros(counts, np.float32)
