"""How well a set of clips was transcribed, as bundles, journals and results keep it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from speech.errors import BadInput
from speech.records import Count, Name, Rate, record_from


@dataclass(frozen=True)
class Score:
    """How well a set of clips was transcribed. Rates are fractions (0.058 is 5.8 %).

    `wer_low` to `wer_high` is the 95 % bootstrap interval over clips. Many insertions are the
    sign of a model that loops.
    """

    ignores_unknown_keys: ClassVar[bool] = True  # newer versions may write more

    wer: Rate
    wer_low: Rate
    wer_high: Rate
    cer: Rate
    substitutions: Count
    insertions: Count
    deletions: Count
    clips: Count
    words: Count
    normalizer: Name
    #: The clips' corpus, and all of its clips and these as `speech.clip_set`; empty if not known.
    corpus: Name = ""
    corpus_set: Name = ""
    clip_set: Name = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The score that `to_json` wrote; other keys are left for newer versions to use."""
        try:
            return record_from(cls, data)
        except ValueError as problem:
            raise BadInput(f"A stored score is damaged ({problem}): measure again.") from None
