"""Variants that a method cannot make of a model, noted so that no later run tries again."""

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.plan import Cell
from runtime.whole_folder import whole_file
from speech.parsed import json_from

NOTE = ".out-of-reach.json"


def out_of_reach(output: Path, wanted: Mapping[Cell, str]) -> dict[Cell, str]:
    """Why, by cell; of a damaged note nothing, and they are tried once more."""
    try:
        noted = json_from((output / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(noted, dict):
        return {}
    noted = {mark: why for mark, why in noted.items() if isinstance(why, str) and why.strip()}
    return {
        cell: noted[key]
        for cell, mark in wanted.items()
        if (key := next((m for m in (mark, wanted[cell.in_fp32]) if m in noted), None))
    }


def note_out_of_reach(output: Path, wanted: Mapping[Cell, str], why: Mapping[Cell, str]) -> None:
    """All that there are: what was noted before, of other recipes too, goes."""
    if not why:
        (output / NOTE).unlink(missing_ok=True)
        return
    content = {wanted[cell]: reason for cell, reason in why.items()}
    with whole_file(output / NOTE, replace=True) as file:
        file.write(json.dumps(content, indent=1).encode())
