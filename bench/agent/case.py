"""The case file: what the host asks the agent to measure, checked before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from speech.errors import BadInput


@dataclass(frozen=True)
class ClipFile:
    """A recording on disk and what is said in it."""

    path: Path
    text: str


@dataclass(frozen=True)
class Case:
    """One bundle, the clips to transcribe, and how often."""

    bundle: Path
    clips: tuple[ClipFile, ...]
    threads: int = 1
    warm_up: int = 3  # transcriptions after the first one that are thrown away
    samples: int = 20  # timed transcriptions of each clip

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)


_DEFAULTS = {"threads": 1, "warm_up": 3, "samples": 20}
_SMALLEST = {"threads": 1, "warm_up": 0, "samples": 1}


def read_case(path: Path) -> Case:
    """The case in a JSON file; raises BadInput with the key that is wrong."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadInput(f"{path}: the case file cannot be read ({problem.strerror}).") from problem
    except ValueError as problem:
        raise BadInput(f"{path}: the case file is not valid JSON ({problem}).") from problem
    if not isinstance(table, dict):
        raise BadInput(f"{path}: the case must be a JSON object.")
    unknown = set(table) - {"bundle", "clips", *_DEFAULTS}
    if unknown:
        raise BadInput(f"{path}: unknown key {min(unknown)!r} in the case.")
    if not isinstance(table.get("bundle"), str):
        raise BadInput(f"{path}: 'bundle' must be the path of a bundle's folder.")
    counts = {key: _count(path, key, table.get(key, value)) for key, value in _DEFAULTS.items()}
    return Case(Path(table["bundle"]), _clips(path, table.get("clips")), **counts)


def _clips(path: Path, value: object) -> tuple[ClipFile, ...]:
    if not isinstance(value, list) or not value:
        raise BadInput(f"{path}: 'clips' must be a list with at least one clip.")
    clips = []
    for clip in value:
        if not isinstance(clip, dict) or not isinstance(clip.get("path"), str):
            raise BadInput(f"{path}: each clip needs a 'path' and a 'text', got {clip!r}.")
        clips.append(ClipFile(Path(clip["path"]), str(clip.get("text", ""))))
    return tuple(clips)


def _count(path: Path, key: str, value: object) -> int:
    smallest = _SMALLEST[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
        raise BadInput(f"{path}: {key!r} must be a whole number from {smallest}, got {value!r}.")
    return value
