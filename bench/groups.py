"""Which results may be compared: those of one model, scored and timed on the same speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import TypeAlias

from bench.rows import Row

#: What two error rates must share: model, corpus, clips and normaliser.
Scored: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True)
class Group:
    """The key of what may be compared on one device. Empty where nobody noted it.

    `scored` is what error rates share, and so what a loss against the dense model needs; times
    need the rest as well.
    """

    model: str
    corpus: str  # of the host's WER
    clips: str  # which of its clips
    normalizer: str
    window: float | None = None  # seconds transcribed at a time while timed; None: as trained
    timed: str = ""  # which clips were timed

    @property
    def scored(self) -> Scored:
        return self.model, self.corpus, self.clips, self.normalizer


def group_of(row: Row) -> Group:
    scored = (model_of(row), row.corpus, row.clips, row.normalizer)
    return _group(*scored, row.window, row.timed_clips, row.timed_corpus)


@lru_cache(1024)
def _group(
    model: str, corpus: str, clips: str, normalizer: str, window: float | None, timed_clips: str,
    timed_corpus: str,
) -> Group:  # fmt: skip
    count, _, which = timed_clips.partition(" (")
    timed = f"{count or 'clips'} of {timed_corpus}" if timed_corpus else count
    timed += f" ({which}" if which else ""
    return Group(model, corpus, clips, normalizer, window, timed)


def in_groups(rows: Iterable[Row]) -> dict[Group, list[Row]]:
    """The groups in the order of their first rows."""
    found: dict[Group, list[Row]] = {}
    for row in rows:
        found.setdefault(group_of(row), []).append(row)
    return found


def model_of(row: Row) -> str:
    """What was pruned: as the manifest says, else the name up to the method."""
    if row.model:
        return row.model
    stem, found, _ = row.name.partition(f"-{row.method}") if row.method else (row.name, "", "")
    return stem if found else row.family


def labels(groups: Iterable[Group]) -> dict[Group, str]:
    """A short name for each that tells it from the others: `whisper-tiny.en, librispeech-dev`."""
    distinct = list(dict.fromkeys(groups))
    near: dict[tuple[str, str], list[Group]] = {}
    for group in distinct:
        near.setdefault((group.model, group.corpus), []).append(group)
    shorts = {group.model: PurePath(group.model).name for group in distinct}
    known = Counter(shorts.values())
    return {
        group: ", ".join(
            [
                (group.model if known[short] > 1 else short) or "unknown model",
                group.corpus or "unknown corpus",
                *_details(group, near[group.model, group.corpus]),
            ]
        )
        for group in distinct
        for short in [shorts[group.model]]
    }


def short_labels(groups: Iterable[Group]) -> dict[Group, str]:
    """As `labels`, but no more than the model's name where that has but one group."""
    full = labels(groups)
    names = {group: PurePath(group.model).name for group in full}
    counts = Counter(names.values())
    return {g: names[g] if names[g] and counts[names[g]] == 1 else full[g] for g in full}


def _details(group: Group, near: Sequence[Group]) -> Iterable[str]:
    """What tells it from those of the same model and corpus; a window of its own always."""
    if len({one.clips for one in near}) > 1:
        yield group.clips or "unknown clips"
    if len({one.normalizer for one in near}) > 1:
        yield f"normaliser {group.normalizer or 'unknown'}"
    if group.window is not None or len({one.window for one in near}) > 1:
        yield "window as trained" if group.window is None else f"window {group.window:g} s"
    if len({one.timed for one in near}) > 1:
        yield f"timed on {group.timed or 'unknown clips'}"
