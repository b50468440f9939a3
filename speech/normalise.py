"""Which differences in spelling count as errors: Whisper's text normalisers, by name.

They come from the `whisper-normalizer` package and equal the ones in transformers: its "english"
has four rules more, which are taken out again. Both are stripped at the ends here, which
transformers leaves to the caller.
"""

import difflib
from collections.abc import Callable
from functools import lru_cache

from speech.errors import BadInput

Normalizer = Callable[[str], str]

NAMES = ("basic", "english", "none")

#: Rules of the package that Whisper's own normaliser does not have ("the cause" would become
#: "the because").
_FOREIGN_RULES = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")


@lru_cache(maxsize=len(NAMES))
def normalizer(name: str) -> Normalizer:
    """The function that brings a text into the form in which it is compared."""
    # Imported here: the spelling table alone is 5 MB, and a device that only transcribes
    # never compares.
    if name == "none":
        return str.strip
    if name == "basic":
        from whisper_normalizer.basic import BasicTextNormalizer

        return _stripping(BasicTextNormalizer())
    if name == "english":
        from whisper_normalizer.english import EnglishTextNormalizer

        english = EnglishTextNormalizer()
        for rule in _FOREIGN_RULES:
            english.replacers.pop(rule, None)
        return _stripping(english)
    near = difflib.get_close_matches(name, NAMES, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(NAMES)}."
    raise BadInput(f"There is no text normaliser called {name!r}; {hint}")


def _stripping(normalise: Normalizer) -> Normalizer:
    return lambda text: normalise(text).strip()
