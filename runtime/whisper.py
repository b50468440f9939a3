"""Whisper on onnxruntime: greedy, without timestamps, token for token what `generate` gives."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue

from runtime.bundle import MANIFEST, Bundle
from runtime.embedding import GIVEN, Embedding
from runtime.packed.reader import PackedFile
from runtime.pieces import PieceByPiece
from runtime.rules import WhisperRules
from runtime.session import open_session, refuse_nan, running
from runtime.settings import DEFAULT, Settings
from runtime.signature import FLOATS, WHOLES, Port, Signature
from runtime.silence import is_silent
from runtime.spelling import Spelling
from runtime.transcript import PHASES, PhaseClock, Transcript
from speech.errors import BadInput
from speech.feature_settings import KEYS
from speech.features import LogMel

Floats = NDArray[np.float32]
#: Keys and values of an attention, by the name of the decoder's input. They stay in onnxruntime.
Cache = Mapping[str, Any]


class WhisperRecognizer(PieceByPiece):
    """Two graphs: an encoder that gives the cross-attention's keys and values, and a decoder."""

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULT):
        manifest = bundle.manifest
        self._folder = bundle.folder
        assert isinstance(manifest.decoding, WhisperRules)  # the manifest is checked
        self.rules = manifest.decoding
        self.features = _features(bundle, settings.window)
        self._spelling = Spelling.read(bundle.tokenizer)
        # The larger one first: to load it takes as much again for a moment.
        self._decoder, self._encoder = (
            open_session(bundle.graph(role), bundle.weights(role), settings)
            for role in ("decoder", "encoder")
        )
        encoder = Signature(self._encoder, bundle.graph("encoder"))
        decoder = Signature(self._decoder, bundle.graph("decoder"))
        self._check_encoder(encoder)
        past = _checked_decoder(decoder, encoder)
        self._words = decoder.fixed("output", "logits", 1)
        self._check_vocabulary(bundle)
        self._embedding = self._opened_embedding(bundle, decoder)
        self._emitted, self._returned = encoder.outputs, decoder.outputs
        self._kept = [f"past_{name}" for name in self._returned[1:]]
        self._empty = {name: np.zeros([1, *sizes], np.float32) for name, sizes in past.items()}

    @property
    def longest(self) -> int:
        return self.features.window_samples

    def transcribe_piece(self, piece: Floats) -> Transcript:
        """A silent piece has no text: the decoder would make one up."""
        clock = PhaseClock(*PHASES)
        mel = None if is_silent(piece) else self.features(piece)
        clock.ended("features")
        if mel is None:
            return Transcript("", (), clock.seconds)
        cross = self.encode(mel)
        clock.ended("encode")
        tokens = self._decode(cross, clock)
        text = self.text(tokens)
        clock.ended("decode")
        return Transcript(text, tuple(tokens), clock.seconds)

    def _check_encoder(self, encoder: Signature) -> None:
        """A graph of another exporter may be fixed to one count of frames."""
        encoder.check("input", {"input_features": Port(FLOATS, (1, None, None))})
        mels, frames = (encoder.size("input", "input_features", axis) for axis in (1, 2))
        if mels not in (None, self.features.n_mels):
            raise BadInput(
                f"{encoder.path} takes {mels} bands of sound, and the 'features' of its bundle "
                f"make {self.features.n_mels}: export the bundle again."
            )
        wanted = self.features.window_samples // self.features.hop
        if frames is not None and frames != wanted:
            seconds = frames * self.features.hop / self.features.rate
            raise BadInput(
                f"{encoder.path} takes exactly {seconds:g} s at a time: leave 'window' out."
            )
        encoder.check(
            "output", {name: Port(FLOATS, (1, None, None, None)) for name in encoder.outputs}
        )

    def _check_vocabulary(self, bundle: Bundle) -> None:
        """A tokenizer of another model would spell nonsense, or nothing at all."""
        rules, spelling, words = self.rules, self._spelling, self._words
        if rules.highest >= words:
            raise BadInput(
                f"{bundle.folder / MANIFEST}: 'decoding' names token {rules.highest}, and the "
                f"model has {words} tokens: export the bundle again."
            )
        start, gap = spelling.start, spelling.first_silent()
        if start not in (None, rules.prefix[0]):
            fault = f"begins transcripts with token {start}, and its bundle with {rules.prefix[0]}"
        elif spelling.highest >= words:
            fault = f"spells token {spelling.highest}, and the model of its bundle has {words}"
        elif gap < min(rules.end):  # specials come after; timestamps, the last, often lack a name
            fault = f"spells nothing for token {gap}, and the text of its bundle is of more tokens"
        else:
            return
        raise BadInput(
            f"{bundle.tokenizer} {fault}: it is another model's; export the bundle again."
        )

    def _opened_embedding(self, bundle: Bundle, decoder: Signature) -> Embedding | None:
        """None where the decoder looks its tokens up itself."""
        if GIVEN not in decoder.inputs:
            return None
        weights = bundle.weights("decoder")
        if weights is None:
            raise BadInput(
                f"{decoder.path} wants to be given embeddings, and the bundle has no "
                "packed weights to read them from: export it again."
            )
        return Embedding(
            PackedFile.open(weights), self._words, decoder.fixed("input", GIVEN, axis=0)
        )

    def encode(self, mel: Floats) -> Cache:
        """Cross-attention keys and values for log-mel features of shape (mels, frames)."""
        with running(self._folder):
            given = {"input_features": OrtValue.ortvalue_from_numpy(mel[None])}
            emitted = self._encoder.run_with_ort_values(self._emitted, given)
        return dict(zip(self._emitted, emitted, strict=True))

    def start(self) -> Cache:
        """The self-attention cache before the first token."""
        return {name: OrtValue.ortvalue_from_numpy(none) for name, none in self._empty.items()}

    def step(self, tokens: list[int], past: Cache, cross: Cache) -> tuple[Floats, Cache]:
        """Logits after the last of `tokens`, and the cache with all of them in it."""
        with running(self._folder):
            given = {"tokens": OrtValue.ortvalue_from_numpy(np.array([tokens], np.int64))}
            if self._embedding:
                columns = self._embedding.columns(tokens)
                given[GIVEN] = OrtValue.ortvalue_from_numpy(columns)
            given |= {**past, **cross}
            logits, *grown = self._decoder.run_with_ort_values(self._returned, given)
            # A graph may give other shapes than it says.
            (scores,) = logits.numpy().reshape(1, self._words)
        refuse_nan(scores, self._folder)
        return scores, dict(zip(self._kept, grown, strict=True))

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


def _checked_decoder(decoder: Signature, encoder: Signature) -> dict[str, tuple[int, int, int]]:
    """Heads, positions (none) and sizes of heads of the cache before the first token, by name."""
    if decoder.outputs[:1] != ["logits"]:
        raise decoder.wrong("does not give 'logits' first")
    kept = [f"past_{name}" for name in decoder.outputs[1:]]
    inputs = {"tokens": Port(WHOLES, (1, None))}
    if GIVEN in decoder.inputs:
        inputs[GIVEN] = Port(FLOATS, (None, None))
    inputs |= {name: Port(FLOATS, (1, None, None, None)) for name in kept}
    inputs |= {
        name: Port(FLOATS, (1, *(encoder.size("output", name, axis) for axis in (1, 2, 3))))
        for name in encoder.outputs
    }
    decoder.check("input", inputs)
    past = {
        name: (decoder.fixed("input", name, 1), 0, decoder.fixed("input", name, 3)) for name in kept
    }
    outputs = {
        name: Port(FLOATS, (1, heads, None, size))
        for name, (heads, _, size) in zip(decoder.outputs[1:], past.values(), strict=True)
    }
    decoder.check("output", {"logits": Port(FLOATS, (1, None)), **outputs})
    return past


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
