"""Any runs on one picture: a line a method, dashes for what else they differ in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.rows import Row
from pipeline.plots import drawing
from pipeline.plots.lines import Line, Lines, lines_of
from pipeline.plots.looks import MOST_MARKS, MOST_METHODS, Looks
from pipeline.plots.sources import Run, readers
from pipeline.plots.style import save, slide, styled_slide
from speech.errors import BadInput
from tui.tradeoffs.axes import ALL_AXES, DEVICE_WER, ENERGY, LATENCY, RTF, Axis

#: By the key that the terminal uses, too.
AXES = {axis.key: axis for axis in (*ALL_AXES, DEVICE_WER)}
#: What depends on the clips that a device was given.
_TIMED = (LATENCY, RTF, ENERGY, DEVICE_WER)


def compared(runs: Sequence[Run], x: Axis, y: Axis) -> Lines:
    """What is to be drawn; BadInput for what cannot be put on one picture."""
    if x is y:
        raise BadInput(f"--x and --y are both {x.key}: take another one for one of them.")
    rows = [row for run in runs for row in run.rows]
    if not rows:
        raise BadInput("There are no results to draw: name those of another run.")
    for axis in (x, y):
        if all(axis.value(row) is None for row in rows):
            there = [
                key for key, one in AXES.items() if any(one.value(r) is not None for r in rows)
            ]
            raise BadInput(
                f"None of the {len(rows)} results has a number for {axis.key}; "
                f"there are: {', '.join(there)}."
            )
    timed = any(axis in _TIMED for axis in (x, y))
    shown = lines_of([row for row in rows if _has(row, x, y)], readers(runs, timed=timed))
    _refuse_too_many(shown)
    return shown


def _has(row: Row, x: Axis, y: Axis) -> bool:
    return x.value(row) is not None and y.value(row) is not None


def left_out(runs: Sequence[Run], x: Axis, y: Axis) -> list[str]:
    """A sentence for each run of which nothing is on the picture."""
    return [
        f"{run.name} is not on the picture: none of its results has both {x.key} and {y.key}."
        for run in runs
        if not any(_has(row, x, y) for row in run.rows)
    ]


def _refuse_too_many(shown: Lines) -> None:
    if not shown.lines and not shown.controls:
        raise BadInput("No result has both of these numbers: take another --x or --y.")
    if len(shown.methods) > MOST_METHODS:
        raise BadInput(
            f"{len(shown.methods)} methods cannot be told apart on one picture, {MOST_METHODS} "
            "can: choose some with --method."
        )
    if len(shown.marks) > MOST_MARKS:
        raise BadInput(
            f"{len(shown.marks)} kinds of lines for each method ({shown.marks[0]}; "
            f"{shown.marks[1]}; …) cannot be told apart on one picture, {MOST_MARKS} can: choose "
            "with --model or --device, or name fewer runs."
        )


def points(shown: Lines, x: Axis, y: Axis) -> dict[str, Any]:
    """What is drawn, as JSON; `mark` is what tells a line from others of its method."""

    def told(line: Line) -> dict[str, Any]:
        found = [asdict(point) for point in line.points(x, y)]
        return {"method": line.method, "mark": line.mark, "points": found}

    return {
        "x": x.key,
        "y": y.key,
        "lines": [told(line) for line in shown.lines],
        "controls": [told(control) for control in shown.controls],
    }


def draw_comparison(shown: Lines, path: Path, x: Axis, y: Axis, *, title: str = "") -> None:
    """Write the PNG, SVG or PDF."""
    looks = Looks.of(shown)
    with styled_slide():
        drawn = slide(title or f"{_plain(y)} over {_plain(x)}", _note(shown, x, y))
        axes = drawn.add_axes(drawing.PLOT)
        drawing.draw_pair(axes, shown, looks, x, y)
        drawing.draw_legend(drawn, shown, looks, drawing.LEGEND)
        save(drawn, path)


def _plain(axis: Axis) -> str:
    """Without its unit."""
    return axis.label.partition(",")[0]


def _note(shown: Lines, x: Axis, y: Axis) -> str:
    every = [point for line in shown.lines for point in line.points(x, y)]
    notes = ["Hollow marks: fine-tuned."]
    if any(point.low is not None for point in every):
        notes.insert(0, drawing.interval_note(shown, x))
    return " ".join(notes)
