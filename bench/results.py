"""The results file: one measurement a line (JSON Lines), replaced as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.agent.measurement import Measurement
from runtime.whole_folder import whole_file
from speech.errors import BadInput
from speech.lines import RawLine, first_few, raw_lines

#: Bytes; a line has every sample of its case.
_LONGEST_LINE = 256 << 20

__all__ = ["Measurement", "read_results", "write_results"]


def write_results(path: Path, measurements: Sequence[Measurement]) -> None:
    """A reader never sees half a file."""
    text = "".join(measurement.to_json() + "\n" for measurement in measurements)
    with whole_file(path, replace=True) as file:
        file.write(text.encode())


def read_results(path: Path, problems: list[str] | None = None) -> list[Measurement]:
    """Every measurement in the file; BadInput for a line that cannot be understood.

    Whoever only looks gives a list, to which a sentence on such a line is added while the others
    are read; but a file without any good line is BadInput all the same.
    """
    return [found for _, found in results_in(path, problems)]


def results_in(path: Path, problems: list[str] | None = None) -> Iterator[tuple[int, Measurement]]:
    """As `read_results` and one after another, each with the byte at which its line begins."""
    wrong: list[str] = []
    at, is_any_good = 0, False
    with _in_a_sentence(path), path.open("rb") as file:
        for line in raw_lines(file, _LONGEST_LINE):
            if line.is_too_long or line.data.strip():
                try:
                    found = _parsed(line)
                except ValueError as problem:
                    wrong.append(f"{path}, line {line.number}: {problem}")
                    if problems is None:
                        break
                else:
                    is_any_good = True
                    yield at, found
            at = file.tell()
    if wrong and (problems is None or not is_any_good):
        raise BadInput(f"{wrong[0]}: name a results.jsonl as Secateur writes it.")
    if problems is not None:
        left_out = [f"{sentence}; the line is left out." for sentence in wrong]
        problems += first_few(left_out, str(path))


def result_at(path: Path, at: int) -> Measurement:
    """That of the line that begins at this byte."""
    with _in_a_sentence(path), path.open("rb") as file:
        file.seek(at)
        line = next(raw_lines(file, _LONGEST_LINE), RawLine(0, b""))
    try:
        return _parsed(line)
    except ValueError as problem:
        raise BadInput(f"{path} has changed since it was read: look at it anew.") from problem


def _parsed(line: RawLine) -> Measurement:
    if line.is_too_long:
        raise ValueError(f"it has more than {_LONGEST_LINE} bytes")
    try:
        return Measurement.from_json(line.data.decode())
    except UnicodeDecodeError as problem:
        raise ValueError("it is not UTF-8 text") from problem


@contextmanager
def _in_a_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as problem:
        raise BadInput(
            f"{path}: there is no such results file; `secateur run RECIPE` writes one."
        ) from problem
    except OSError as problem:
        raise BadInput(f"{path}: the results cannot be read ({problem.strerror}).") from problem
