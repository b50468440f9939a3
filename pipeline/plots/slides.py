"""The pictures of one model on one device: what zeros do to errors and costs, what nobody beats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.groups import model_of
from bench.rows import Row
from pipeline.plots import drawing
from pipeline.plots.labels import placed
from pipeline.plots.lines import Lines, Point
from pipeline.plots.looks import Looks
from pipeline.plots.style import FAINT, INK, literal, save, slide, styled_slide
from tui.tradeoffs.axes import LATENCY, MEMORY, SIZE, SPARSITY, WER, Axis
from tui.tradeoffs.front import located, worth_keeping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a device pays, and what of it is drawn over sparsity.
COSTS = (LATENCY, MEMORY)
OVER_ZEROS = (LATENCY, SIZE, MEMORY)

#: Left, bottom, width, height in parts of the slide; the fourth quarter holds the legend.
_QUARTERS = (
    (0.075, 0.565, 0.39, 0.325), (0.56, 0.565, 0.39, 0.325), (0.075, 0.135, 0.39, 0.325),
)  # fmt: skip
_QUARTER_LEGEND = (0.56, 0.46)
_HALVES = ((0.075, 0.135, 0.315, 0.755), (0.42, 0.135, 0.315, 0.755))
_HOLLOW = "Hollow marks: fine-tuned."
#: More names than this are a thicket.
_MOST_NAMES = 12
_NAME_SIZE = 10.5


def draw_errors(shown: Lines, path: Path, *, title: str, looks: Looks) -> None:
    """WER over zeros, a line a method, beside the dense model and the one that only learnt."""
    note = f"{drawing.interval_note(shown, SPARSITY)} Grey: of what was not cut. {_HOLLOW}"
    with styled_slide():
        drawn = slide(title, note)
        axes = drawn.add_axes(drawing.PLOT)
        drawing.draw_pair(axes, shown, looks, SPARSITY, WER)
        drawing.draw_legend(drawn, shown, looks, drawing.LEGEND)
        save(drawn, path)


def draw_costs(shown: Lines, path: Path, *, title: str, looks: Looks) -> None:
    """What latency, size and memory become; those that were not measured have no panel."""
    with styled_slide():
        drawn = slide(
            title, "Zeros alone make no dense runtime faster. Level lines: nothing was cut."
        )
        for place, cost in zip(_QUARTERS, _measured(shown, OVER_ZEROS), strict=False):
            drawing.draw_pair(drawn.add_axes(place), shown, looks, SPARSITY, cost)
        drawing.draw_legend(drawn, shown, looks, _QUARTER_LEGEND)
        save(drawn, path)


def _measured(shown: Lines, axes: Sequence[Axis]) -> list[Axis]:
    rows = [row for line in (*shown.lines, *shown.controls) for row in line.rows]
    return [axis for axis in axes if any(axis.value(row) is not None for row in rows)]


def front(rows: Sequence[Row], cost: Axis) -> list[Row]:
    """The rows that no other one beats in both, the cheapest first."""
    return [rows[place] for place in worth_keeping(located(rows, cost, WER), cost, WER)]


def draw_front(shown: Lines, path: Path, *, title: str, looks: Looks) -> None:
    """WER over latency and memory, a mark for each variant; a line joins what nothing beats."""
    costs = _measured(shown, COSTS)
    with styled_slide():
        drawn = slide(title, "Lower left is better. Named and joined: no other is better in both.")
        for place, cost in zip(_HALVES, costs, strict=False):
            axes = drawn.add_axes(place if len(costs) > 1 else drawing.PLOT)
            _draw_front(axes, shown, looks, cost)
            if cost is not costs[0]:
                axes.set_ylabel("")  # it is that of the panel to the left
        drawing.draw_legend(drawn, shown, looks, drawing.LEGEND, joined=False)
        save(drawn, path)


def _draw_front(axes: Axes, shown: Lines, looks: Looks, cost: Axis) -> None:
    rows = list({id(r): r for line in (*shown.controls, *shown.lines) for r in line.rows}.values())
    points = [Point(rows[at].name, x, y, None, None)
              for at, (x, y) in located(rows, cost, WER).items()]  # fmt: skip
    for line in shown.lines:
        own = [row for row in line.rows if row.method == line.method]
        _mark(axes, own, cost, looks.alone(line.method, line.mark))
    for control in shown.controls:
        _mark(axes, control.rows, cost, looks.star(control.method))
    drawing.scale_x(axes, cost, points)
    drawing.scale_y(axes, WER, points)
    best = front(rows, cost)
    places = list(located(best, cost, WER).values())
    axes.step(
        [x for x, _ in places], [y for _, y in places], where="post", color=INK, linewidth=1.1,
        zorder=0.9,
    )  # fmt: skip
    if len(best) <= _MOST_NAMES:
        _name(axes, best, places, [(p.x, p.y) for p in points])


def _mark(axes: Axes, rows: Sequence[Row], cost: Axis, look: dict[str, Any]) -> None:
    points = list(located(rows, cost, WER).values())
    axes.plot([x for x, _ in points], [y for _, y in points], **look)


def _name(
    axes: Axes, rows: Sequence[Row], places: Sequence[tuple[float, float]],
    every: Sequence[tuple[float, float]],
) -> None:  # fmt: skip
    def in_dots(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in axes.transData.transform(points)]

    def in_data(dots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in axes.transData.inverted().transform(dots)]

    names = [row.name.removeprefix(f"{_model(row)}-") for row in rows]
    (left, bottom), (right, top) = axes.transAxes.transform([(0, 0), (1, 1)])
    figure = axes.figure
    size = _NAME_SIZE * figure.dpi / 72
    found = placed(in_dots(places), names, in_dots(every), (left, bottom, right, top), size)
    for name, place, point in zip(names, found, places, strict=True):
        if place:
            # a name that had to move away from its point is tied to it
            start, end = in_data([place, (place[0] + len(name) * size * 0.55, place[1])])
            axes.plot(
                [point[0], min(max(point[0], start[0]), end[0])], [point[1], start[1]],
                color=FAINT, linewidth=0.7, zorder=0.8,
            )  # fmt: skip
            ground = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.6}
            axes.text(
                *start, literal(name), fontsize=_NAME_SIZE, va="center", ha="left", bbox=ground
            )


def _model(row: Row) -> str:
    return Path(model_of(row)).name
