"""What a bundle must stand besides hashes: listening, and a comparison with its checkpoint."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.progress import Report
from runtime.bundle import HOST_ONLY, MANIFEST, Bundle
from runtime.memory_guard import free_memory_only
from runtime.recognizer import open_recognizer
from runtime.rules import WhisperRules
from runtime.whisper import WhisperRecognizer
from speech.audio import RATE, Floats
from speech.corpora import Corpus
from speech.errors import BadInput

if TYPE_CHECKING:
    from export.parity import Parity


def check_listening(bundle: Bundle) -> None:
    """Load the graphs and let them hear two seconds of noise: do they fit, are there figures?"""
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE, np.float32)
    with _misfits_are_bad_input(bundle), free_memory_only():
        scores = _scores(bundle, noise)
    if not np.isfinite(scores).all():
        raise BadInput(
            f"{bundle.folder} answers a sound with NaN or infinity: its weights are broken; "
            "export a sound checkpoint."
        )


def _scores(bundle: Bundle, samples: Floats) -> Floats:
    recognizer: Any = open_recognizer(bundle)
    if not isinstance(recognizer, WhisperRecognizer):
        frames: Floats = recognizer.logits(recognizer.prepare(samples))
        recognizer.text(frames.argmax(-1).tolist())
        return frames
    heard = recognizer.encode(recognizer.features(samples))
    rules = recognizer.rules
    scores, _ = recognizer.step(list(rules.prefix), recognizer.start(), heard)
    recognizer.text([rules.choose(scores, first=True)])
    return scores


@contextmanager
def _misfits_are_bad_input(bundle: Bundle) -> Iterator[None]:
    """onnxruntime has one class of error per status, and what a stray graph gives fits nothing."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{bundle.folder} does not work as the {bundle.manifest.family} model that its "
            f"bundle.json makes it ({reason}): export the bundle again."
        ) from error


def why_not_compared(bundle: Bundle) -> str | None:
    """What stands against a comparison with PyTorch, if anything does."""
    precision = bundle.manifest.precision
    if not (bundle.folder / HOST_ONLY).is_dir():
        return "the PyTorch checkpoint is not in it"
    if precision != "fp32":
        return f"its graphs are rounded to {precision}, which no tolerance of logits can judge"
    for library in ("torch", "transformers"):
        if find_spec(library) is None:
            return f"{library} is not installed here"
    return None


def compared(bundle: Bundle, corpus: Corpus, report: Report) -> "Parity":
    """How closely onnxruntime follows PyTorch; ExportError where it does not."""
    from export.parity import check_parity
    from prune.checkpoint import open_checkpoint

    _refuse_strays(bundle)
    checkpoint = open_checkpoint(str(bundle.folder / HOST_ONLY))
    manifest, kind = bundle.manifest, str(checkpoint.model.config.model_type)
    if (checkpoint.family, kind) != (manifest.family, manifest.architecture):
        raise BadInput(
            f"{bundle.folder} calls itself {manifest.family} ({manifest.architecture}), and its "
            f"PyTorch checkpoint is {checkpoint.family} ({kind}): export the bundle again."
        )
    choice = _choice(checkpoint.model, bundle) if manifest.family == "whisper" else {}
    clips = _Told([clip.samples() for clip in corpus.clips], report)
    return check_parity(checkpoint, bundle, clips, choice=choice)


def _refuse_strays(bundle: Bundle) -> None:
    """transformers reads what it finds, also what no hash was checked of."""
    listed = {bundle.folder / file.path for file in bundle.manifest.files}
    for path in sorted((bundle.folder / HOST_ONLY).rglob("*")):
        if path.is_symlink() or (path.is_file() and path not in listed):
            name = path.relative_to(bundle.folder).as_posix()
            raise BadInput(
                f"{bundle.folder} has {name}, which its {MANIFEST} does not list: remove it, or "
                "copy the bundle again."
            )


def _choice(model: Any, bundle: Bundle) -> dict[str, str]:
    """The language and task that the bundle was exported for: its decoding begins with them."""
    from prune.language import speech_choice

    if not speech_choice(model, None, None):
        return {}
    rules = bundle.manifest.decoding
    prefix = rules.prefix if isinstance(rules, WhisperRules) else ()
    settings = model.generation_config
    languages = [name for name, token in settings.lang_to_id.items() if token in prefix]
    tasks = [name for name, token in settings.task_to_id.items() if token in prefix]
    if len(languages) != 1 or len(tasks) != 1:
        raise BadInput(
            f"{bundle.folder / MANIFEST}: 'prefix' names {len(languages)} languages and "
            f"{len(tasks)} tasks of the PyTorch checkpoint, and should name one of each: export "
            "the bundle again."
        )
    return speech_choice(model, languages[0], tasks[0])


class _Told(list[Floats]):
    """Clips that tell which of them is being listened to."""

    def __init__(self, clips: Sequence[Floats], report: Report):
        super().__init__(clips)
        self._report = report

    def __iter__(self) -> Iterator[Floats]:
        for done, clip in enumerate(super().__iter__()):
            self._report("comparing", done, len(self))
            yield clip
