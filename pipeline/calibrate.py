"""Listening to speech before cutting, for the methods that ask for it."""

from collections.abc import Callable
from typing import Any

from speech.corpora import open_corpus

#: Makes the progress callback for a label and a total, as `pipeline.progress.bar` does.
Bar = Callable[[str, int], Any]


def calibrate(checkpoint: Any, name: str, clips: int, seed: int, bar: Bar) -> Any:
    """What every prunable layer of the checkpoint hears: `prune.statistics.hessians`."""
    from prune.statistics import hessians

    corpus = open_corpus(name, limit=clips, seed=seed)
    with bar(f"calibrating on {corpus.name}", len(corpus)) as progress:
        spoken = ((clip.samples(), clip.text) for clip in corpus.clips)
        return hessians(checkpoint, spoken, progress=progress)
