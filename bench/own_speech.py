"""The clips that bundles are timed on unless somebody names others: of what they were scored on.

Only then is the device's WER of the same speech as the host's, and the latency that of the clips
that the model is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.speech_used import scored_speech
from runtime.bundle import Bundle, Manifest
from speech.cache_folder import cache_folder
from speech.corpora import Corpus, open_corpus
from speech.corpora.opening import NAMES
from speech.errors import BadInput
from speech.readable import expanded

#: What is left where a bundle's own corpus is not at hand, and how many clips of what is named.
FALLBACK, CLIPS = "demo", 8
_MOST_NAMES = 3


@dataclass(frozen=True)
class Share:
    """Clips, and the bundles (by position) that are to be timed on them."""

    corpus: Corpus
    bundles: Sequence[int]


def own_speech(
    bundles: Sequence[Bundle], *, count: int | None = None, seed: int = 0
) -> tuple[list[Share], list[str]]:
    """Each bundle with clips of the corpus that it was scored on, and a sentence for what has none.

    Without `count` they are the clips that its recipe measures, so that what `secateur run` has
    measured stands beside it; else so many, drawn with `seed`.
    """
    shares: dict[tuple[str, str], tuple[Corpus, list[int]]] = {}
    without: dict[str, list[str]] = {}
    opened: dict[tuple[Any, ...], Corpus] = {}
    for at, bundle in enumerate(bundles):
        try:
            corpus = _own(bundle.manifest, count, seed, opened)
        except BadInput as problem:
            without.setdefault(str(problem), []).append(bundle.manifest.name)
            corpus = _cached(opened, (FALLBACK,), lambda: open_corpus(FALLBACK))
            corpus = corpus.limit(count or CLIPS, seed)
        _, places = shares.setdefault((corpus.clip_set, corpus.normalizer), (corpus, []))
        places.append(at)
    told = [f"{_listed(names)}: {why}" for why, names in without.items()]
    return [Share(corpus, places) for corpus, places in shares.values()], told


def _own(
    manifest: Manifest, count: int | None, seed: int, opened: dict[tuple[Any, ...], Corpus]
) -> Corpus:
    """BadInput with a sentence to follow the bundle's name, where its corpus is not here."""
    recipe = manifest.provenance.get("recipe")
    section = recipe.get("corpus") if isinstance(recipe, Mapping) else None
    score = manifest.score.to_json() if manifest.score else {}
    name = scored_speech(score, manifest.provenance).corpus
    if not isinstance(recipe, Mapping) or not isinstance(section, Mapping) or not name:
        raise _instead("the bundle does not say on what it was evaluated")
    evaluate, split = _text(section, "evaluate"), _text(section, "split")
    limit = _count(section, "limit")
    seeds = recipe.get("seeds")
    first = seeds[0] if isinstance(seeds, list) and seeds and isinstance(seeds[0], int) else 0
    if not evaluate or not _is_here(evaluate):
        raise _instead(f"{name}, on which it was evaluated, is not on this machine")
    try:
        key = (evaluate, split, limit, first)
        whole = _cached(
            opened, key, lambda: open_corpus(evaluate, split=split, limit=limit, seed=first)
        )
    except BadInput as problem:
        why = str(problem).rstrip(".")
        raise _instead(f"{name}, on which it was evaluated, cannot be opened ({why})") from problem
    known = scored_speech(score, None).corpus_set
    if known and known != whole.corpus_set:
        raise _instead(f"{evaluate} has other clips now than when it was evaluated on them")
    usual = _count(recipe.get("measure"), "clips") or CLIPS
    chosen = whole.limit(count, seed) if count else whole.first(usual)
    return replace(chosen, normalizer=score["normalizer"]) if score else chosen


def _cached(
    opened: dict[tuple[Any, ...], Corpus], key: tuple[Any, ...], make: Callable[[], Corpus]
) -> Corpus:
    if key not in opened:
        opened[key] = make()
    return opened[key]


def _is_here(evaluate: str) -> bool:
    """Nothing is fetched for a measurement; and no whole disk is searched for clips."""
    name, _, part = evaluate.partition(":")
    if name == "librispeech":
        return (cache_folder() / "LibriSpeech" / (part or "test-clean")).is_dir()
    if evaluate in NAMES:
        return True
    try:
        folder = expanded(evaluate).resolve()
        return folder.is_dir() and folder not in (Path.home(), *Path.cwd().parents)
    except (OSError, RuntimeError, ValueError):
        return False


def _instead(why: str) -> BadInput:
    return BadInput(
        f"{why}; clips of {FALLBACK} are taken instead, which say little about the speech that it "
        "is for: name a corpus with --clips."
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) else None


def _count(table: object, key: str) -> int | None:
    """None for what no recipe would have there."""
    value = table.get(key) if isinstance(table, Mapping) else None
    return value if isinstance(value, int) and value > 0 else None
