"""What the device heard, scored on the host: WER and CER of the artifact that was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bench.agent.measurement import Measurement
from speech.errors import BadInput
from speech.scoring import score


def scored(measurements: Iterable[Measurement], normalizer: str) -> list[Measurement]:
    """Each with the score of its transcripts; without one where nothing was heard or said."""
    return [_scored(measurement, normalizer) for measurement in measurements]


def _scored(measurement: Measurement, normalizer: str) -> Measurement:
    heard = measurement.transcripts
    if not heard:
        return measurement
    said = [clip.reference for clip in heard]
    try:
        found = score(said, [clip.text for clip in heard], normalizer=normalizer)
    except BadInput:  # clips without a text are measured all the same
        return measurement
    named = replace(
        found,
        corpus=measurement.corpus,
        corpus_set=measurement.corpus_set,
        clip_set=measurement.clip_set,
    )
    return replace(measurement, score=named.to_json())
