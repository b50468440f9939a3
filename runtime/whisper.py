"""Whisper on onnxruntime: greedy, without timestamps, token for token what `generate` gives."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue

from runtime.bundle import MANIFEST, Bundle
from runtime.embedding import GIVEN, Embedding
from runtime.json_fields import JsonFields
from runtime.packed.reader import PackedFile
from runtime.session import open_session, running
from runtime.settings import DEFAULT, Settings
from runtime.silence import is_silent
from runtime.spelling import Spelling
from runtime.transcript import PHASES, PhaseClock, Transcript
from speech.errors import BadInput
from speech.features import KEYS, LogMel

Floats = NDArray[np.float32]
#: Keys and values of an attention, by the name of the decoder's input. They stay in onnxruntime.
Cache = Mapping[str, Any]


@dataclass(frozen=True)
class WhisperRules:
    """How tokens are chosen, as the checkpoint's generation settings have it."""

    #: Start of transcript, language, task and no-timestamps, as far as the checkpoint has them.
    prefix: tuple[int, ...]
    #: Never chosen.
    suppress: tuple[int, ...]
    #: Not chosen right after the prefix.
    begin_suppress: tuple[int, ...]
    #: Any of these ends the text.
    end: tuple[int, ...]
    #: Tokens in all, the prefix and the end included.
    max_length: int

    def to_json(self) -> dict[str, Any]:
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            prefix = fields.wholes("prefix")
            if not prefix:
                raise fields.wrong("prefix", "is empty")
            return cls(
                prefix=prefix,
                suppress=fields.wholes("suppress"),
                begin_suppress=fields.wholes("begin_suppress"),
                end=fields.wholes("end"),
                max_length=fields.whole("max_length", least=len(prefix) + 1),
            )

    def choose(self, logits: Floats, *, first: bool) -> int:
        """The most likely token that the rules allow; `logits` are those of one position.

        Nearly always that is the most likely of all, and nothing need be copied.
        """
        forbidden = (*self.suppress, *self.begin_suppress) if first else self.suppress
        choice = int(logits.argmax())
        if choice not in forbidden:
            return choice
        allowed = logits.copy()
        allowed[list(forbidden)] = -np.inf
        return int(allowed.argmax())


class WhisperRecognizer:
    """Two graphs: an encoder that gives the cross-attention's keys and values, and a decoder."""

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULT):
        manifest = bundle.manifest
        self._folder = bundle.folder
        where = f"{bundle.folder}, 'decoding'"
        self.rules = WhisperRules.from_json(manifest.decoding, where)
        self.features = _features(bundle, settings.window)
        self._spelling = Spelling.read(bundle.tokenizer)
        # The larger one first: to load it takes as much again for a moment.
        self._decoder, self._encoder = (
            open_session(bundle.graph(role), bundle.weights(role), settings)
            for role in ("decoder", "encoder")
        )
        self._refuse_misfit(bundle.graph("encoder"))
        self._embedding = self._opened_embedding(bundle)
        self._emitted = [output.name for output in self._encoder.get_outputs()]
        self._returned = [output.name for output in self._decoder.get_outputs()]
        self._kept = [f"past_{name}" for name in self._returned[1:]]
        self._empty = {
            given.name: np.zeros([given.shape[0], given.shape[1], 0, given.shape[3]], np.float32)
            for given in self._decoder.get_inputs()
            if given.name.startswith("past_")
        }

    def transcribe(self, samples: Floats) -> Transcript:
        """Text of mono samples at the model's rate.

        Audio longer than the window is cut where it is quietest and heard piece by piece, each on
        its own; the texts are joined with a space. Of a silent piece the model is not even asked.
        """
        texts: list[str] = []
        tokens: list[int] = []
        clock = PhaseClock(*PHASES)
        for piece in self.features.windows(samples):
            mel = None if is_silent(piece) else self.features(piece)
            clock.ended("features")
            if mel is None:
                continue
            cross = self.encode(mel)
            clock.ended("encode")
            found = self._decode(cross, clock)
            texts.append(self.text(found))
            clock.ended("decode")
            tokens += found
        return Transcript(" ".join(filter(None, texts)), tuple(tokens), clock.seconds)

    def _refuse_misfit(self, path: Path) -> None:
        """A graph of another exporter may be fixed to one count of frames."""
        *_, mels, frames = self._encoder.get_inputs()[0].shape
        if isinstance(mels, int) and mels != self.features.n_mels:
            raise BadInput(
                f"{path} takes {mels} bands of sound, and the 'features' of its bundle make "
                f"{self.features.n_mels}: export the bundle again."
            )
        wanted = self.features.window_samples // self.features.hop
        if isinstance(frames, int) and frames != wanted:
            seconds = frames * self.features.hop / self.features.rate
            raise BadInput(f"{path} takes exactly {seconds:g} s at a time: leave 'window' out.")

    def _opened_embedding(self, bundle: Bundle) -> Embedding | None:
        """None where the decoder looks its tokens up itself."""
        asked = [given for given in self._decoder.get_inputs() if given.name == GIVEN]
        if not asked:
            return None
        weights = bundle.weights("decoder")
        if weights is None:
            raise BadInput(
                f"{bundle.graph('decoder')} wants to be given embeddings, and the bundle has no "
                "packed weights to read them from: export it again."
            )
        return Embedding(PackedFile.open(weights), asked[0].shape[0])

    def encode(self, mel: Floats) -> Cache:
        """Cross-attention keys and values for log-mel features of shape (mels, frames)."""
        given = {"input_features": OrtValue.ortvalue_from_numpy(mel[None])}
        with running(self._folder):
            emitted = self._encoder.run_with_ort_values(self._emitted, given)
        return dict(zip(self._emitted, emitted, strict=True))

    def start(self) -> Cache:
        """The self-attention cache before the first token."""
        return {name: OrtValue.ortvalue_from_numpy(none) for name, none in self._empty.items()}

    def step(self, tokens: list[int], past: Cache, cross: Cache) -> tuple[Floats, Cache]:
        """Logits after the last of `tokens`, and the cache with all of them in it."""
        given = {"tokens": OrtValue.ortvalue_from_numpy(np.array([tokens], np.int64))}
        if self._embedding:
            columns = self._embedding.columns(tokens)
            given[GIVEN] = OrtValue.ortvalue_from_numpy(columns)
        given |= {**past, **cross}
        with running(self._folder):
            logits, *grown = self._decoder.run_with_ort_values(self._returned, given)
        return logits.numpy()[0], dict(zip(self._kept, grown, strict=True))

    def _decode(self, cross: Cache, clock: PhaseClock) -> list[int]:
        rules, found = self.rules, list[int]()
        logits, past = self.step(list(rules.prefix), self.start(), cross)
        choice = rules.choose(logits, first=True)
        clock.ended("prefill")
        while choice not in rules.end:
            found.append(choice)
            if len(rules.prefix) + len(found) >= rules.max_length:
                break
            logits, past = self.step([choice], past, cross)
            choice = rules.choose(logits, first=False)
        return found

    def text(self, tokens: list[int]) -> str:
        """Tokens spelt out, without specials, timestamps and the space before the first word."""
        return self._spelling(tokens).strip()


def _features(bundle: Bundle, window: float | None) -> LogMel:
    """As the model was trained, or with a shorter window: the encoder has no more positions."""
    given = bundle.manifest.features
    if missing := [key for key in KEYS.values() if key not in given]:
        raise BadInput(
            f"{bundle.folder / MANIFEST}: 'features' lacks {missing[0]!r}: export the bundle again."
        )
    trained = LogMel.from_config(dict(given))
    if window is None:
        return trained
    if window > trained.window_seconds:
        raise BadInput(
            f"'window' is {window:g} s, and {bundle.folder} hears at most "
            f"{trained.window_seconds:g} s at a time: ask for less, or leave it out."
        )
    return replace(trained, window_seconds=window)
