"""A checkpoint in the layout of optimum and transformers.js, whole and checked, or not at all.

For those who have programs on top of `ORTModelForSpeechSeq2Seq`, `ORTModelForCTC` or the Hub's
customary names. The graphs are ours, traced as a bundle's are: optimum's exporter wants an
environment with an older transformers, and cannot build a model whose layers are uneven.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.ctc_graph import write_ctc
from export.optimum.check import check_graphs
from export.optimum.ear import check_ear, refuse_no_python
from export.optimum.expected import expected_of
from export.optimum.files import write_settings
from export.optimum.graphs import write_merged_decoder, write_standard_encoder
from prune.checkpoint import Checkpoint
from prune.language import speech_choice
from runtime.whole_folder import full_disk_is_bad_input, refuse_taken, written_whole

#: Where optimum and transformers.js both look for graphs.
GRAPHS = "onnx"


@dataclass(frozen=True)
class Agreement:
    """How an export was checked against PyTorch."""

    clips: int
    #: Largest absolute difference between logits.
    largest_difference: float
    #: Version of the optimum that chose the same tokens; null where none listened.
    optimum: str | None


def write_optimum_layout(
    checkpoint: Checkpoint,
    folder: Path,
    clips: Sequence[NDArray[np.float32]],
    *,
    python: Path | None = None,
) -> Agreement:
    """Write into `folder`, absent or empty, what `from_pretrained` of optimum's classes opens.

    It takes its place once it says what PyTorch says on all `clips`; with `python`, that of an
    environment with optimum, its classes are asked too.
    """
    refuse_taken(folder)
    if python:
        refuse_no_python(python)
    choice = speech_choice(checkpoint.model, None, None) if checkpoint.family == "whisper" else {}
    with full_disk_is_bad_input(str(folder)), written_whole(folder) as place:
        write_settings(checkpoint, place)
        _write_graphs(checkpoint, place / GRAPHS)
        expected = [expected_of(checkpoint, clip, choice) for clip in clips]
        difference = check_graphs(place / GRAPHS, expected)
        version = check_ear(python, place, clips, expected, choice) if python else None
    return Agreement(len(clips), difference, version)


def _write_graphs(checkpoint: Checkpoint, place: Path) -> None:
    place.mkdir()
    if checkpoint.family == "whisper":
        write_standard_encoder(checkpoint.model, place / "encoder_model.onnx")
        write_merged_decoder(checkpoint.model, place / "decoder_model_merged.onnx")
    else:
        write_ctc(checkpoint.model, place / "model.onnx")
