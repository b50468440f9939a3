"""How well a checkpoint or a bundle understands a corpus."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.archive import holds_bundle, opened
from runtime.bundle import Bundle
from speech.audio import RATE, Floats
from speech.corpora import Corpus
from speech.errors import BadInput
from speech.features import LogMel
from speech.scoring import Score, score_on

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Evaluation:
    model: str
    kind: str
    corpus: str
    score: Score
    hypotheses: tuple[str, ...]
    #: Seconds that the model hears at once; None where any length will do.
    window_seconds: float | None
    #: Clips beyond it, which were heard window by window.
    longer_than_window: int

    def to_json(self) -> dict[str, Any]:
        """The score's figures at the top, what was scored beside them."""
        return self.score.to_json() | {
            "model": self.model,
            "kind": self.kind,
            "corpus": self.corpus,
            "longer_than_window": self.longer_than_window,
        }


@dataclass(frozen=True)
class _Listener:
    """Something that turns clips into texts: PyTorch or onnxruntime."""

    kind: str
    window_seconds: float | None
    hear: Callable[[Iterable[Floats], Progress | None], list[str]]


def evaluate(
    model: str,
    corpus: Corpus,
    *,
    normalizer: str | None = None,
    language: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """A bundle is heard by onnxruntime alone, as on the device; anything else by PyTorch."""
    if not holds_bundle(Path(model)):
        listener = _checkpoint(model, revision, language, device)
        return _heard(model, listener, corpus, normalizer, progress)
    if language:
        raise BadInput(
            f"{model} is a bundle, and its language was fixed when it was exported: "
            "leave out --language."
        )
    from runtime.memory_guard import free_memory_only

    with opened(Path(model)) as bundle, free_memory_only():
        return _heard(model, _bundle(bundle, threads), corpus, normalizer, progress)


def _heard(
    model: str,
    listener: _Listener,
    corpus: Corpus,
    normalizer: str | None,
    progress: Progress | None,
) -> Evaluation:
    window, long = listener.window_seconds, 0

    def clips() -> Iterator[Floats]:
        nonlocal long
        for clip in corpus.clips:
            samples = clip.samples()
            long += window is not None and len(samples) > window * RATE
            yield samples

    if progress:
        progress(0)
    heard = listener.hear(clips(), progress)
    result = score_on(corpus, heard, normalizer)
    return Evaluation(model, listener.kind, corpus.name, result, tuple(heard), window, long)


def _bundle(bundle: Bundle, threads: int) -> _Listener:
    from runtime.recognizer import open_recognizer
    from runtime.settings import Settings

    recognizer = open_recognizer(bundle, Settings(threads=threads))

    def hear(clips: Iterable[Floats], progress: Progress | None) -> list[str]:
        heard = []
        for clip in clips:
            heard.append(recognizer.transcribe(clip).text)
            if progress:
                progress(len(heard))
        return heard

    return _Listener("bundle", _window(bundle.manifest.family, bundle.manifest.features), hear)


def _checkpoint(model: str, revision: str | None, language: str | None, device: str) -> _Listener:
    from prune.checkpoint import open_checkpoint
    from prune.device import chosen_device
    from prune.listen import transcribe

    chosen = chosen_device(device)
    checkpoint = open_checkpoint(model, revision=revision)
    if language and checkpoint.family == "ctc":
        raise BadInput(
            f"{model} spells what it hears and knows no languages: leave out --language."
        )
    checkpoint.model.to(chosen)

    def hear(clips: Iterable[Floats], progress: Progress | None) -> list[str]:
        return transcribe(checkpoint, clips, language=language, progress=progress)

    window = _window(checkpoint.family, checkpoint.feature_settings)
    return _Listener("checkpoint", window, hear)


def _window(family: str, features: Mapping[str, Any]) -> float | None:
    return LogMel.from_config(features).window_seconds if family == "whisper" else None
