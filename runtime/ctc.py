"""SEW and wav2vec 2.0 on onnxruntime: the likeliest symbol of every frame, spelt out."""

import json
import time
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.json_fields import JsonFields
from runtime.session import open_session
from runtime.transcript import Transcript
from speech.errors import BadInput
from speech.features import normalise_waveform

Floats = NDArray[np.float32]

#: What transformers' tokenizers replace where a checkpoint asks to clean up spaces, in this order.
_TIDY = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
    (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip


@dataclass(frozen=True)
class CtcRules:
    """How frames become text, as the checkpoint's tokenizer has it."""

    #: The symbol that says nothing and keeps repeated letters apart.
    blank: int
    #: Stands between words in the vocabulary.
    delimiter: str
    #: Stands for symbols that the vocabulary lacks.
    unknown: str
    lower_case: bool
    tidy_spaces: bool
    #: Shorter audio is filled with silence up to this: the graph needs a frame to work on.
    min_samples: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str) -> Self:
        with JsonFields(data, where) as fields:
            return cls(
                blank=fields.whole("blank"),
                delimiter=fields.text("delimiter"),
                unknown=fields.text("unknown"),
                lower_case=fields.flag("lower_case"),
                tidy_spaces=fields.flag("tidy_spaces"),
                min_samples=fields.whole("min_samples", least=1),
            )


class CtcRecognizer:
    """One graph from the whole waveform to logits, and a table of symbols."""

    def __init__(self, bundle: Bundle, threads: int = 1):
        manifest = bundle.manifest
        self.rules = CtcRules.from_json(manifest.decoding, f"{bundle.folder}, 'decoding'")
        self._normalise = manifest.features.get("do_normalize", True) is True
        self._symbols = _read_symbols(bundle)
        self._session = open_session(bundle.graph("model"), threads, bundle.weights("model"))

    def transcribe(self, samples: Floats) -> Transcript:
        """Text of mono samples at the model's rate, heard in one piece however long they are."""
        started = time.perf_counter()
        values = self.prepare(samples)
        prepared = time.perf_counter()
        frames = self.logits(values).argmax(-1)
        tokens = [int(token) for token, _ in groupby(frames) if token != self.rules.blank]
        text = self.text(tokens)
        seconds = {"features": prepared - started, "encode": time.perf_counter() - prepared}
        return Transcript(text, tuple(tokens), seconds)

    def prepare(self, samples: Floats) -> Floats:
        """The waveform as the model wants it: of unit variance if asked for, and long enough."""
        values = samples.astype(np.float32, copy=False)
        if self._normalise and len(values):
            values = normalise_waveform(values)
        return np.pad(values, (0, max(0, self.rules.min_samples - len(values))))

    def logits(self, values: Floats) -> Floats:
        """Scores of shape (frames, symbols) for a prepared waveform."""
        logits: Floats = self._session.run(None, {"input_values": values[None]})[0][0]
        return logits

    def text(self, tokens: list[int]) -> str:
        """Symbols joined, with spaces between the words."""
        rules = self.rules
        symbols = (self._symbols.get(token, rules.unknown) for token in tokens)
        text = "".join(" " if symbol == rules.delimiter else symbol for symbol in symbols).strip()
        if rules.lower_case:
            text = text.lower()
        for before, after in _TIDY if rules.tidy_spaces else ():
            text = text.replace(before, after)
        return text


def _read_symbols(bundle: Bundle) -> dict[int, str]:
    path = bundle.tokenizer
    try:
        vocabulary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: export the bundle again.") from error
    with JsonFields(vocabulary, str(path)) as fields:
        return {fields.whole(symbol): symbol for symbol in vocabulary}
