"""SEW and wav2vec 2.0 on onnxruntime: the likeliest symbol of every frame, spelt out."""

from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import MANIFEST, Bundle
from runtime.pieces import PieceByPiece
from runtime.rules import CtcRules, Token
from runtime.session import open_session, refuse_nan, running
from runtime.settings import DEFAULT, Settings
from runtime.signature import FLOATS, Port, Signature
from runtime.silence import is_inaudible
from runtime.transcript import PhaseClock, Transcript
from speech.audio import RATE
from speech.errors import BadInput
from speech.feature_settings import WaveformSettings
from speech.features import normalise_waveform
from speech.parsed import json_from
from speech.pauses import WHOLE
from speech.records import value_from

Floats = NDArray[np.float32]

#: What transformers' tokenizers replace where a checkpoint asks to clean up spaces, in this order.
_TIDY = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
    (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip


class CtcRecognizer(PieceByPiece):
    """One graph from the whole waveform to logits, and a table of symbols."""

    def __init__(self, bundle: Bundle, settings: Settings = DEFAULT):
        manifest = bundle.manifest
        self._folder = bundle.folder
        assert isinstance(manifest.decoding, CtcRules)  # the manifest is checked
        self.rules = manifest.decoding
        self._normalise = WaveformSettings.from_config(manifest.features).normalise
        self._symbols = read_symbols(bundle.tokenizer)
        self._longest = int((settings.window or WHOLE) * RATE)
        self._session = open_session(bundle.graph("model"), bundle.weights("model"), settings)
        self._count = self._checked(bundle)

    def _checked(self, bundle: Bundle) -> int:
        """The graph takes a waveform, and gives scores for as many symbols as the table has."""
        graph = Signature(self._session, bundle.graph("model"))
        graph.check("input", {"input_values": Port(FLOATS, (1, None))})
        graph.check("output", {"logits": Port(FLOATS, (1, None, None))})
        count = graph.fixed("output", "logits", 2)
        if self.rules.blank >= count:
            raise BadInput(
                f"{bundle.folder / MANIFEST}: 'decoding' names the symbol {self.rules.blank}, and "
                f"the model has {count} symbols: export the bundle again."
            )
        if (highest := max(self._symbols, default=0)) >= count:
            raise BadInput(
                f"{bundle.tokenizer} has a symbol {highest}, and the model of its bundle has "
                f"{count} symbols: it is another model's; export the bundle again."
            )
        # Old checkpoints leave some symbols without a name, but not most of them.
        if 2 * len(self._symbols) < count:
            raise BadInput(
                f"{bundle.tokenizer} names {len(self._symbols)} of the {count} symbols of its "
                "bundle's model: it is another model's; export the bundle again."
            )
        return count

    @property
    def longest(self) -> int:
        return self._longest

    def transcribe_piece(self, piece: Floats) -> Transcript:
        """An inaudible piece has no text: at unit variance it would be loud."""
        clock = PhaseClock("features", "encode", "decode")
        values = None if is_inaudible(piece) else self.prepare(piece)
        clock.ended("features")
        if values is None:
            return Transcript("", (), clock.seconds)
        frames = self.logits(values).argmax(-1)
        clock.ended("encode")
        tokens = [int(token) for token, _ in groupby(frames) if token != self.rules.blank]
        text = self.text(tokens)
        clock.ended("decode")
        return Transcript(text, tuple(tokens), clock.seconds)

    def prepare(self, samples: Floats) -> Floats:
        """The waveform as the model wants it: of unit variance if asked for, and long enough."""
        values = samples.astype(np.float32, copy=False)
        if self._normalise and len(values):
            values = normalise_waveform(values)
        return np.pad(values, (0, max(0, self.rules.min_samples - len(values))))

    def logits(self, values: Floats) -> Floats:
        """Scores of shape (frames, symbols) for a prepared waveform."""
        with running(self._folder):
            logits: Floats = self._session.run(None, {"input_values": values[None]})[0]
            # A graph may give other shapes than it says, but no frame is shorter than a sample.
            batch, frames, symbols = logits.shape
            if (batch, symbols) != (1, self._count) or frames > len(values):
                sizes = f"{list(logits.shape)} for {len(values)} samples"
                raise ValueError(f"it gives {sizes} and {self._count} symbols")
        scores: Floats = logits[0]
        refuse_nan(scores, self._folder)
        return scores

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


def read_symbols(path: Path) -> dict[int, str]:
    """The table of symbols, by their numbers."""
    try:
        vocabulary = json_from(path.read_text(encoding="utf-8"))
        numbers = value_from(dict[str, Token], vocabulary)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as problem:
        raise BadInput(f"{path} is no table of symbols ({problem}): export it again.") from problem
    return {number: symbol for symbol, number in numbers.items()}
