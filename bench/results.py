"""The results file: one measurement a line (JSON Lines), replaced as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.agent.measurement import Measurement
from speech.errors import BadInput

__all__ = ["Measurement", "read_results", "write_results"]


def write_results(path: Path, measurements: Sequence[Measurement]) -> None:
    """Written beside, flushed to disk, then renamed: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(measurement.to_json() + "\n" for measurement in measurements)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)  # mkstemp keeps the file to its owner
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read_results(path: Path) -> list[Measurement]:
    """Every measurement in the file; raises BadInput naming the line that cannot be understood."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise BadInput(
            f"{path}: there is no such results file; `secateur run RECIPE` writes one."
        ) from problem
    except OSError as problem:
        raise BadInput(f"{path}: the results cannot be read ({problem.strerror}).") from problem
    except UnicodeDecodeError as problem:
        raise BadInput(f"{path}: is not a results file (not UTF-8 text).") from problem
    measurements = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            measurements.append(Measurement.from_json(line))
        except ValueError as problem:
            raise BadInput(
                f"{path}, line {number}: {problem}: name a results.jsonl as Secateur writes it."
            ) from problem
    return measurements
