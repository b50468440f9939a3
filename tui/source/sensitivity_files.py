"""What `secateur sensitivity --json` wrote, from files that are named or lie beside results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from prune.damage import Sensitivity
from speech.errors import BadInput

PATTERN = "sensitivity*.json"
HOW = "secateur sensitivity MODEL --corpus demo:calibration --json > sensitivity.json"


def read_sensitivity(path: Path) -> Sensitivity:
    """BadInput for anything else."""
    try:
        return Sensitivity.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}).") from problem
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as problem:
        raise BadInput(f"{path} is no sensitivity; `{HOW}` writes one.") from problem


def found_beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(PATTERN))


def read_all(named: Iterable[Path], beside: Path) -> list[Sensitivity]:
    paths = dict.fromkeys(path.resolve() for path in (*named, *found_beside(beside)))
    return [read_sensitivity(path) for path in paths]
