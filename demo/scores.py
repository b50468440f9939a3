"""What the finished demo models are worth."""

from collections.abc import Iterable
from pathlib import Path

from prune.checkpoint import open_checkpoint
from prune.listen import transcribe
from speech.corpora import open_corpus
from speech.scoring import score


def lines(assets: Path, models: Iterable[str]) -> Iterable[str]:
    """One line a model: its word error rate on the test clips, in voices it never heard."""
    corpus = open_corpus(str(assets / "clips" / "test"))
    for name in models:
        checkpoint = open_checkpoint(str(assets / name))
        heard = transcribe(checkpoint, (clip.samples() for clip in corpus.clips))
        s = score([clip.text for clip in corpus.clips], heard, normalizer=corpus.normalizer)
        yield (
            f"{name}: WER {100 * s.wer:.2f} % on {s.clips} test clips "
            f"(95 %: {100 * s.wer_low:.2f} to {100 * s.wer_high:.2f})"
        )
