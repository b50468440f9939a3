"""The rows with all of their columns, for other programs: JSON, CSV and Parquet.

However many they are, only some are in memory at a time.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

from bench.rows import Row
from runtime.whole_folder import whole_file
from speech.errors import BadInput

#: Rows that are put together before they are handed on.
_BATCH = 200
_NAMES = [field.name for field in fields(Row)]
_values = attrgetter(*_NAMES)


def json_parts(rows: Iterable[Row]) -> Iterator[str]:
    """A list of objects, in parts that are one text together."""
    before = "["
    for batch in _batches(rows):
        tables = [dict(zip(_NAMES, _values(row), strict=True)) for row in batch]
        yield before + json.dumps(tables)[1:-1]
        before = ", "
    yield "]\n" if before == ", " else "[]\n"


def csv_parts(rows: Iterable[Row]) -> Iterator[str]:
    """With a line of names; an empty field was not measured, several verdicts have a space.

    The parts are one text together.
    """
    yield _csv([_NAMES])
    place = _NAMES.index("verdicts")
    for batch in _batches(rows):
        lines = [list(_values(row)) for row in batch]
        for line in lines:
            line[place] = " ".join(line[place])
        yield _csv(lines)


def _csv(lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(map(_no_formula, line) for line in lines)
    return out.getvalue()


def _no_formula(cell: object) -> object:
    """A spreadsheet would run a text that begins like one; after an apostrophe it stays a text."""
    is_formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if is_formula else cell


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Whole or not at all; a file that is there gives way to it."""
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise BadInput(
            "Parquet needs pyarrow, which is not installed here: pip install 'secateur[host]', "
            "or take --csv."
        ) from error
    kinds: dict[Any, Any] = {
        str: pyarrow.string(),
        str | None: pyarrow.string(),
        int: pyarrow.int64(),
        int | None: pyarrow.int64(),
        bool: pyarrow.bool_(),
        float | None: pyarrow.float64(),
        tuple[str, ...]: pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema([(name, kinds[hint]) for name, hint in get_type_hints(Row).items()])
    with (
        whole_file(path, replace=True) as file,
        pyarrow.parquet.ParquetWriter(file, schema) as writer,
    ):
        for batch in _batches(rows):
            tables = [dict(zip(_NAMES, _values(row), strict=True)) for row in batch]
            writer.write_table(pyarrow.Table.from_pylist(tables, schema=schema))
