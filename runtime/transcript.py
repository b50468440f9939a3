"""What listening gives: the text, the tokens behind it and where the time went."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Transcript:
    text: str
    #: Without prefix and end for Whisper; without repetitions and blanks for CTC.
    tokens: tuple[int, ...]
    #: Wall-clock seconds by phase: features, encode and, for Whisper, decode.
    seconds: Mapping[str, float]
