"""What `secateur sensitivity --json` wrote, from files that are named or lie beside results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prune.damage import Sensitivity
from speech.errors import BadInput
from speech.parsed import json_from
from tui.source.records import Sensitivities

PATTERN = "sensitivity*.json"
HOW = "secateur sensitivity MODEL --corpus demo:calibration --json > sensitivity.json"


def read_sensitivity(path: Path) -> Sensitivity:
    """BadInput for anything else."""
    try:
        table = json_from(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    except ValueError as problem:
        raise BadInput(f"{path} is not JSON ({problem}); `{HOW}` writes it.") from problem
    try:
        return Sensitivity.from_json(table)
    except ValueError as problem:
        raise BadInput(
            f"{path} is JSON, but no sensitivity ({problem}); `{HOW}` writes one."
        ) from problem


def found_beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(PATTERN))


def read_all(named: Iterable[Path], beside: Path) -> Sensitivities:
    """One that is wrong does not hide the others."""
    found: list[Sensitivity] = []
    faults: list[str] = []
    for path in dict.fromkeys(path.resolve() for path in (*named, *found_beside(beside))):
        try:
            found.append(read_sensitivity(path))
        except BadInput as problem:
            faults.append(str(problem))
    return Sensitivities(found, faults)
