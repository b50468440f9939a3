"""What listening gives: the text, the tokens behind it and where the time went."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: In order: samples made fit for the model; the encoder (CTC: the whole graph); for Whisper the
#: decoder on the prefix, which gives the first token; the decoder on each token after it
#: (CTC: frames turned into letters).
PHASES = ("features", "encode", "prefill", "decode")


@dataclass(frozen=True)
class Transcript:
    text: str
    #: Without prefix and end for Whisper; without repetitions and blanks for CTC.
    tokens: tuple[int, ...]
    #: Wall-clock seconds by phase, each of `PHASES` that the family has.
    seconds: Mapping[str, float]


def joined(parts: Iterable[Transcript]) -> Transcript:
    """The transcripts of pieces that follow one another as that of the whole."""
    texts, tokens, seconds = list[str](), list[int](), dict[str, float]()
    for part in parts:
        texts.append(part.text)
        tokens += part.tokens
        for phase, spent in part.seconds.items():
            seconds[phase] = seconds.get(phase, 0.0) + spent
    return Transcript(" ".join(filter(None, texts)), tuple(tokens), seconds)


class PhaseClock:
    """Adds up where the time goes, from when it is made; a phase that never came has taken none."""

    def __init__(self, *phases: str) -> None:
        self.seconds = dict.fromkeys(phases, 0.0)
        self._since = time.perf_counter()

    def ended(self, phase: str) -> None:
        """The time since the last phase ended belongs to this one."""
        now = time.perf_counter()
        self.seconds[phase] += now - self._since
        self._since = now
