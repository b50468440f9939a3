"""Whether what an extractor makes of sound is what its model takes."""

from typing import Any

from speech.audio import RATE
from speech.errors import BadInput


def refuse_misfit(config: Any, extractor: Any, name: str) -> None:
    """Before anything is cut: transformers would tell only when the model is to hear."""
    if extractor.sampling_rate != RATE:
        raise BadInput(
            f"{name}: the feature extractor's 'sampling_rate' is {extractor.sampling_rate}, and "
            f"all audio is read at {RATE}: give a model that was trained at that rate."
        )
    if config.model_type != "whisper":
        return
    hop = extractor.hop_length
    if not isinstance(hop, int) or hop < 1:
        raise BadInput(f"{name}: the feature extractor's 'hop_length' is {hop!r}: mend that.")
    frames = extractor.n_samples // hop
    for says, made, taken in (
        ("'feature_size' gives {} bands", extractor.feature_size, config.num_mel_bins),
        ("'chunk_length' and 'hop_length' give {} frames", frames, 2 * config.max_source_positions),
    ):
        if made != taken:
            raise BadInput(
                f"{name}: the feature extractor's {says.format(made)}, and the model takes "
                f"{taken}: give the files that belong together."
            )
