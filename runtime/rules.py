"""How a model's answers become text, as data in the manifest: nothing heavy is loaded for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from speech.records import Length, Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: No vocabulary has more tokens.
MOST_TOKENS = 1_000_000

Token = Annotated[int, Range(0, MOST_TOKENS - 1)]
Tokens = Annotated[tuple[Token, ...], Length(100_000)]
Symbol = Annotated[str, Length(100, least=1)]


@dataclass(frozen=True)
class WhisperRules:
    """How tokens are chosen, as the checkpoint's generation settings have it."""

    #: Start of transcript, language, task and no-timestamps, as far as the checkpoint has them.
    prefix: Annotated[tuple[Token, ...], Length(1000, least=1)]
    #: Never chosen.
    suppress: Tokens
    #: Not chosen right after the prefix.
    begin_suppress: Tokens
    #: Any of these ends the text.
    end: Annotated[tuple[Token, ...], Length(1000, least=1)]
    #: Tokens in all, the prefix and the end included; Whisper has 448 positions.
    max_length: Annotated[int, Range(2, 10_000)]

    def __post_init__(self) -> None:
        if self.max_length <= len(self.prefix):
            raise ValueError(
                f"decoding.max_length is {self.max_length} and leaves no room after the "
                f"{len(self.prefix)} tokens of 'prefix'"
            )

    @property
    def highest(self) -> int:
        """Of all tokens that are named here."""
        return max(*self.prefix, *self.suppress, *self.begin_suppress, *self.end)

    def to_json(self) -> dict[str, Any]:
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    def choose(self, logits: NDArray[np.float32], *, first: bool) -> int:
        """The most likely token that the rules allow; `logits` are those of one position.

        Nearly always that is the most likely of all, and nothing need be copied.
        """
        forbidden = (*self.suppress, *self.begin_suppress) if first else self.suppress
        choice = int(logits.argmax())
        if choice not in forbidden:
            return choice
        allowed = logits.copy()
        allowed[list(forbidden)] = float("-inf")
        return int(allowed.argmax())


@dataclass(frozen=True)
class CtcRules:
    """How frames become text, as the checkpoint's tokenizer has it."""

    #: The symbol that says nothing and keeps repeated letters apart.
    blank: Token
    #: Stands between words in the vocabulary.
    delimiter: Symbol
    #: Stands for symbols that the vocabulary lacks.
    unknown: Symbol
    lower_case: bool
    tidy_spaces: bool
    #: Shorter audio is filled with silence up to this: the graph needs a frame to work on.
    min_samples: Annotated[int, Range(1, 1_000_000)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


#: By the family of the bundle.
RULES: dict[str, type[WhisperRules] | type[CtcRules]] = {
    "whisper": WhisperRules,
    "ctc": CtcRules,
}
