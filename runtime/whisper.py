"""Whisper on onnxruntime: greedy, without timestamps, token for token what `generate` gives."""

import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue
from tokenizers import Tokenizer

from runtime.bundle import Bundle
from runtime.json_fields import JsonFields
from runtime.session import open_session
from runtime.transcript import Transcript
from speech.errors import BadInput
from speech.features import LogMel

Floats = NDArray[np.float32]
#: Keys and values of an attention, by the name of the decoder's input. They stay in onnxruntime.
Cache = Mapping[str, Any]

#: Timestamps are no special tokens to the tokenizer, yet no text either.
_TIMESTAMP = re.compile(r"<\|\d+\.\d+\|>")


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
        """The most likely token that the rules allow; `logits` are those of one position."""
        allowed = logits.copy()
        allowed[list(self.suppress)] = -np.inf
        if first:
            allowed[list(self.begin_suppress)] = -np.inf
        return int(allowed.argmax())


class WhisperRecognizer:
    """Two graphs: an encoder that gives the cross-attention's keys and values, and a decoder."""

    def __init__(self, bundle: Bundle, threads: int = 1):
        manifest = bundle.manifest
        where = f"{bundle.folder}, 'decoding'"
        self.rules = WhisperRules.from_json(manifest.decoding, where)
        self.features = LogMel.from_config(dict(manifest.features))
        self._tokenizer = _open_tokenizer(bundle)
        self._encoder, self._decoder = (
            open_session(bundle.graph(role), threads, bundle.weights(role))
            for role in ("encoder", "decoder")
        )
        self._emitted = [output.name for output in self._encoder.get_outputs()]
        self._returned = [output.name for output in self._decoder.get_outputs()]
        self._empty = {
            given.name: np.zeros([given.shape[0], given.shape[1], 0, given.shape[3]], np.float32)
            for given in self._decoder.get_inputs()
            if given.name.startswith("past_")
        }

    def transcribe(self, samples: Floats) -> Transcript:
        """Text of mono samples at the model's rate.

        Audio longer than the model's window is heard window after window, each on its own, and
        the texts are joined with a space; a word across the edge of a window may be lost.
        """
        texts: list[str] = []
        tokens: list[int] = []
        seconds = dict.fromkeys(("features", "encode", "decode"), 0.0)
        for window in self.features.windows(samples):
            started = time.perf_counter()
            mel = self.features(window)
            heard = time.perf_counter()
            cross = self.encode(mel)
            encoded = time.perf_counter()
            found = self._decode(cross)
            texts.append(self.text(found))
            seconds["features"] += heard - started
            seconds["encode"] += encoded - heard
            seconds["decode"] += time.perf_counter() - encoded
            tokens += found
        return Transcript(" ".join(filter(None, texts)), tuple(tokens), seconds)

    def encode(self, mel: Floats) -> Cache:
        """Cross-attention keys and values for log-mel features of shape (mels, frames)."""
        given = {"input_features": OrtValue.ortvalue_from_numpy(mel[None])}
        emitted = self._encoder.run_with_ort_values(self._emitted, given)
        return dict(zip(self._emitted, emitted, strict=True))

    def start(self) -> Cache:
        """The self-attention cache before the first token."""
        return {name: OrtValue.ortvalue_from_numpy(none) for name, none in self._empty.items()}

    def step(self, tokens: list[int], past: Cache, cross: Cache) -> tuple[Floats, Cache]:
        """Logits after the last of `tokens`, and the cache with all of them in it."""
        given = OrtValue.ortvalue_from_numpy(np.array([tokens], np.int64))
        logits, *grown = self._decoder.run_with_ort_values(
            self._returned, {"tokens": given, **past, **cross}
        )
        names = (f"past_{name}" for name in self._returned[1:])
        return logits.numpy()[0], dict(zip(names, grown, strict=True))

    def _decode(self, cross: Cache) -> list[int]:
        rules, past = self.rules, self.start()
        given, found = list(rules.prefix), list[int]()
        while len(rules.prefix) + len(found) < rules.max_length:
            logits, past = self.step(given, past, cross)
            choice = rules.choose(logits, first=not found)
            if choice in rules.end:
                break
            found.append(choice)
            given = [choice]
        return found

    def text(self, tokens: list[int]) -> str:
        """Tokens spelt out, without specials, timestamps and the space before the first word."""
        spelt: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return _TIMESTAMP.sub("", spelt).strip()


def _open_tokenizer(bundle: Bundle) -> Any:
    try:
        return Tokenizer.from_file(str(bundle.tokenizer))
    except Exception as error:  # the tokenizers library raises nothing more precise
        raise BadInput(
            f"{bundle.tokenizer} is not a tokenizer ({error}): export the bundle again."
        ) from error
