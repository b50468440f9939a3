"""The rows with all of their columns, for other programs: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_type_hints

from bench.rows import Row
from runtime.whole_folder import whole_file
from speech.errors import BadInput


def csv_text(rows: Sequence[Row]) -> str:
    """With a line of names; an empty field was not measured, several verdicts have a space."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {**asdict(row), "verdicts": " ".join(row.verdicts)}
        writer.writerow({name: _no_formula(cell) for name, cell in cells.items()})
    return out.getvalue()


def _no_formula(cell: object) -> object:
    """A spreadsheet would run a text that begins like one; after an apostrophe it stays a text."""
    is_formula = isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{cell}" if is_formula else cell


def write_parquet(rows: Sequence[Row], path: Path) -> None:
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
        float | None: pyarrow.float64(),
        tuple[str, ...]: pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema([(name, kinds[hint]) for name, hint in get_type_hints(Row).items()])
    table = pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    with whole_file(path, replace=True) as file:
        pyarrow.parquet.write_table(table, file)
