"""How well a checkpoint understands a corpus, heard as a bundle of it would be."""

from collections.abc import Callable

from prune.checkpoint import Checkpoint
from prune.language import speech_choice
from prune.listen import transcribe
from speech.corpora import Corpus
from speech.scoring import Score, score_on


def as_bundled(
    checkpoint: Checkpoint,
    corpus: Corpus,
    *,
    normalizer: str | None = None,
    batch: int = 16,
    progress: Callable[[int, int], None],
) -> Score:
    """Whisper, `batch` clips at once, is told the language to which the bundle is held."""
    clips, language = corpus.clips, None
    if checkpoint.family == "whisper":
        language = speech_choice(checkpoint.model, None, None).get("language")
    progress(0, len(clips))
    heard = transcribe(
        checkpoint,
        (clip.samples() for clip in clips),
        language=language,
        batch=batch,
        progress=lambda done: progress(done, len(clips)),
    )
    return score_on(corpus, heard, normalizer)
