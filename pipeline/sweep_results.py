"""The file of a sweep: what was asked, and each point as it was found. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.rows import Row
from bench.speech_used import clips_told
from runtime.whole_folder import whole_file
from speech.errors import BadInput
from speech.parsed import json_from
from speech.records import record_from
from speech.scoring import Score

#: Whoever changes what a point means for the same settings raises this.
SCHEMA = 1
_KIND = "secateur sweep"


@dataclass(frozen=True)
class Point:
    """One model that was pruned and heard; or why there could be none."""

    method: str
    sparsity: float  # asked for, of the prunable weights
    achieved: float | None = None
    #: `speech.scoring.Score` as JSON.
    score: Mapping[str, Any] | None = None
    prune_seconds: float | None = None  # fine-tuning included, shared statistics not
    listen_seconds: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Sweep:
    #: Everything that decides the points: whoever asks for the same goes on with them.
    settings: Mapping[str, Any]
    family: str = ""
    points: tuple[Point, ...] = ()
    schema: int = SCHEMA
    kind: str = field(default=_KIND)

    def has(self, method: str, sparsity: float) -> bool:
        return any((point.method, point.sparsity) == (method, sparsity) for point in self.points)

    def added(self, point: Point) -> Sweep:
        return replace(self, points=(*self.points, point))

    def write(self, path: Path) -> None:
        """Whole, in place of what is there."""
        with whole_file(path, replace=True) as file:
            file.write(json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n")

    def rows(self) -> list[Row]:
        """As measured results, without a device: nobody timed the models there."""
        return [_row(self, point) for point in self.points if point.score]


def _row(sweep: Sweep, point: Point) -> Row:
    score = Score.from_json(point.score or {})
    percent = 100 * point.sparsity
    name = f"{Path(str(sweep.settings['model'])).name}-{point.method}"
    return Row(
        name=f"{name}-{percent:g}" if percent else name,
        family=sweep.family,
        method=point.method,
        requested_percent=percent,
        achieved_percent=None if point.achieved is None else 100 * point.achieved,
        model=str(sweep.settings["model"]),
        wer=100 * score.wer,
        wer_low=100 * score.wer_low,
        wer_high=100 * score.wer_high,
        cer=100 * score.cer,
        corpus=score.corpus,
        clips=clips_told(score.clips, score.clip_set, score.words),
        normalizer=score.normalizer,
    )


#: Bytes. Files of sweeps have a line a point, stores and results files may be much larger.
_LARGEST = 64 << 20


def is_sweep(path: Path) -> bool:
    """Whether a file says of itself that it is one; a large file is read for nothing else."""
    try:
        if path.stat().st_size > _LARGEST:
            return False
        found = json_from(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == _KIND


def read_sweep(path: Path) -> Sweep:
    """BadInput for anything else."""
    try:
        found: Sweep = record_from(Sweep, json_from(path.read_text(encoding="utf-8")))
    except FileNotFoundError as problem:
        raise BadInput(f"There is no {path}: `secateur sweep` writes such a file.") from problem
    except OSError as problem:
        raise BadInput(f"{path} cannot be read ({problem.strerror}).") from problem
    except ValueError as problem:
        raise BadInput(
            f"{path} is not what `secateur sweep` writes ({problem}): name another file."
        ) from problem
    for point in found.points:
        if point.score is not None:
            Score.from_json(point.score)  # which says what is missing
    if found.kind != _KIND or found.schema != SCHEMA or "model" not in found.settings:
        raise BadInput(
            f"{path} is not what this version of `secateur sweep` writes: name another file."
        )
    return found


def begun(path: Path, settings: Mapping[str, Any], *, force: bool) -> Sweep:
    """The sweep in the file, if it is the same one; a new one where there is none, or by force.

    BadInput where a file would be lost that is another sweep, or none at all.
    """
    new = Sweep(json.loads(json.dumps(settings)))
    if force or not path.exists():
        return new
    found = read_sweep(path)
    for key in dict.fromkeys((*found.settings, *new.settings)):
        old, now = found.settings.get(key), new.settings.get(key)
        if old != now:
            raise BadInput(
                f"{path} is of another sweep, with {key} {_told(old)} and not {_told(now)}: "
                "name another --output, or say --force to begin anew."
            )
    return found


def _told(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
