"""Which speech the host scored a bundle on and a device timed it on, as far as anybody noted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from speech.counted import counted


@dataclass(frozen=True)
class Speech:
    """Empty where it was not noted, as by older versions."""

    corpus: str = ""  # its name
    corpus_set: str = ""  # all of its clips, see speech.clip_set
    clip_set: str = ""  # those of them that were used

    def is_other_than(self, scored: Speech) -> bool:
        """Whether it is of another corpus; never of what nobody knows."""
        if self.clip_set and self.clip_set == scored.clip_set:
            return False
        if self.corpus_set and scored.corpus_set:
            return self.corpus_set != scored.corpus_set
        if not self.corpus or not scored.corpus or self.corpus == scored.corpus:
            return False
        mine, theirs = self.corpus.partition(":"), scored.corpus.partition(":")
        return mine[0] != theirs[0] or bool(mine[2] and theirs[2])


def scored_speech(score: Mapping[str, Any] | None, provenance: Mapping[str, Any] | None) -> Speech:
    """What a bundle's host WER is of; bundles of older versions have it in their recipe alone."""
    known = score or {}
    named = [str(known.get(key) or "") for key in ("corpus", "corpus_set", "clip_set")]
    return Speech(named[0] or evaluated_on(provenance or {}), named[1], named[2])


def evaluated_on(provenance: Mapping[str, Any]) -> str:
    """The corpus that a bundle's recipe names, as `Corpus.name` would; empty without a recipe."""
    recipe = provenance.get("recipe")
    section = recipe.get("corpus") if isinstance(recipe, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(section.get("evaluate"), str):
        return ""
    evaluate, split = section["evaluate"], section.get("split")
    if evaluate in ("demo", "librispeech"):
        usual = {"demo": "test", "librispeech": "test-clean"}[evaluate]
        return f"{evaluate}:{split or usual}"
    is_folder = evaluate.startswith((".", "~", "/")) or evaluate.count("/") != 1
    name = PurePath(evaluate).name if is_folder else evaluate
    return f"{name}:{split}" if split and not name.endswith(f":{split}") else name


def clips_told(count: object, clip_set: object, words: object = None) -> str:
    """Such as `8 clips (3f2a91c04b7d)`: how many, and which; empty where that is not known."""
    if not isinstance(count, int):
        return ""
    which = clip_set or (f"{words} words" if isinstance(words, int) else "")
    return counted(count, "clip") + (f" ({which})" if which else "")
