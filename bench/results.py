"""The results file: one measurement a line (JSON Lines), replaced as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.agent.measurement import Measurement
from runtime.whole_folder import whole_file
from speech.errors import BadInput

__all__ = ["Measurement", "read_results", "write_results"]


def write_results(path: Path, measurements: Sequence[Measurement]) -> None:
    """A reader never sees half a file."""
    text = "".join(measurement.to_json() + "\n" for measurement in measurements)
    with whole_file(path, replace=True) as file:
        file.write(text.encode())


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
