"""Lines onto axes, the scale that suits them, and the legend beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.plots.lines import Line, Lines, Point, fine_tunes
from pipeline.plots.looks import Looks
from pipeline.plots.style import FAINT, literal
from tui.tradeoffs.axes import CER, DEVICE_WER, SPARSITY, WER, Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rates of errors, which span from a few to a hundred.
RATES = (WER.key, CER.key, DEVICE_WER.key)
#: From this ratio of the highest to the lowest on, rates are drawn on a logarithmic scale.
_WIDE = 8.0
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

#: So many lines have bands, and so many whiskers, whatever sets them apart.
_MOST_BANDS, _MOST_BOUNDED = 3, 6
#: Percent of zeros between the whiskers of two lines.
_ASIDE = 0.35

#: In parts of the slide, left, bottom, width, height: what one plot takes beside its legend.
PLOT = (0.075, 0.135, 0.655, 0.755)
LEGEND = (0.755, 0.9)
#: Where it ends below and what a line takes, in parts of the slide; points of its text.
_LEGEND_END, _LEGEND_LINE, _LEGEND_SIZE = 0.03, 0.0345, 12.0
#: From the left end of a handle to its text, in sizes of the text.
_BESIDE_HANDLE = 4.0


def draw_lines(axes: Axes, shown: Lines, looks: Looks, x: Axis, y: Axis) -> list[Point]:
    """Intervals first, so that they hide no line; gives every point."""
    bounded = _bounded(shown)
    for place, line in enumerate(bounded):
        aside = place - (len(bounded) - 1) / 2
        _draw_intervals(axes, line, looks, x, y, None if _has_bands(shown, x) else aside)
    found: list[Point] = []
    for line in shown.lines:
        points = line.points(x, y)
        axes.plot(
            [p.x for p in points], [p.y for p in points],
            markevery=slice(int(line.starts_at_control), None),
            **looks.line(line.method, line.mark),
        )  # fmt: skip
        found += points
    return found


def _draw_intervals(
    axes: Axes, line: Line, looks: Looks, x: Axis, y: Axis, aside: float | None
) -> None:
    """A band, or whiskers `aside` of their points so that they do not hide each other."""
    points = [p for p in line.points(x, y) if p.low is not None]
    if aside is not None:
        points = [p for p in points if p.name != line.rows[0].name or not line.starts_at_control]
    low, high = [p.low or 0.0 for p in points], [p.high or 0.0 for p in points]
    colour = looks.method(line.method)["color"]
    if aside is None:
        axes.fill_between([p.x for p in points], low, high, color=colour, alpha=0.13, lw=0)
    else:
        step = _ASIDE if x.key == SPARSITY.key else 0.0
        axes.vlines(
            [p.x + step * aside for p in points], low, high, color=colour, lw=1.2, alpha=0.7
        )


def interval_note(shown: Lines, x: Axis) -> str:
    """What the bands or whiskers are."""
    some = len(_bounded(shown)) < len(shown.lines)
    kind = "Bands" if _has_bands(shown, x) else "Whiskers"
    return f"{kind}: 95 % intervals{f' of {shown.marks[0]}' if some else ''}."


def _bounded(shown: Lines) -> Sequence[Line]:
    """Lines that show their intervals; of many only those of the conditions that come first."""
    if len(shown.lines) <= _MOST_BOUNDED:
        return shown.lines
    return [line for line in shown.lines if line.mark == shown.marks[0]]


def _has_bands(shown: Lines, x: Axis) -> bool:
    """Many bands are mud; and those along a latency that hardly changes have no width."""
    return x.key == SPARSITY.key and len(_bounded(shown)) <= _MOST_BANDS


def draw_controls(axes: Axes, shown: Lines, looks: Looks, x: Axis, y: Axis) -> list[Point]:
    """Level lines; bands of the conditions that come first. Equal ones are drawn once."""
    found: dict[tuple[str, float], Point] = {}
    for control in shown.controls:
        for point in control.points(x, y):
            is_first = control.mark == shown.marks[0]
            if is_first and point.low is not None and point.high is not None:
                axes.axhspan(point.low, point.high, color=FAINT, alpha=0.1, linewidth=0)
            if (control.method, point.y) not in found:
                look = looks.control(control.method)
                axes.axhline(
                    point.y, zorder=1.5, **(look if is_first else look | looks.dashes(control.mark))
                )
            found.setdefault((control.method, point.y), point)
    return list(found.values())


def draw_pair(axes: Axes, shown: Lines, looks: Looks, x: Axis, y: Axis) -> None:
    """Controls and lines on the scales that suit both."""
    level = draw_controls(axes, shown, looks, x, y)
    points = draw_lines(axes, shown, looks, x, y)
    scale_x(axes, x, points or level)
    scale_y(axes, y, [*level, *points])


def scale_y(axes: Axes, y: Axis, points: Iterable[Point]) -> bool:
    """From nothing on; or logarithmic, where rates are too far apart. Says which."""
    values = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    above = [value for value in values if value > 0]
    axes.grid(axis="y", color=FAINT, alpha=0.22, linewidth=0.7)
    axes.set_axisbelow(True)
    if y.key not in RATES or not above or max(above) < _WIDE * min(above):
        axes.set_ylim(0, 1.08 * max(values, default=1.0) or 1.0)
        axes.set_ylabel(y.label)
        return False
    low, high = max(min(above) / 1.25, max(above) / 2000), max(above) * 1.25
    if min(values) <= 0:
        low = min(low, min(v for v in above) / 2)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel(f"{y.label} (log scale)")
    return True


def scale_x(axes: Axes, x: Axis, points: Sequence[Point]) -> None:
    """What hardly differs is not blown up to look as if it did."""
    axes.set_xlabel(x.label)
    values = [point.x for point in points]
    if not values:
        return
    low, high = min(values), max(values)
    if x.key == SPARSITY.key:
        axes.set_xlim(min(0.0, low) - 2, max(high, 10.0) + 2)
        return
    middle = (low + high) / 2
    half = max(0.58 * (high - low), 0.06 * abs(middle), 1e-9)
    axes.set_xlim(max(middle - half, min(0.0, low)), middle + half)


def draw_legend(
    drawn: Figure, shown: Lines, looks: Looks, place: tuple[float, float], *, joined: bool = True
) -> None:
    """In groups with headings: what cuts once, what fine-tunes, the controls, the dashes.

    Where points are not `joined`, there are stars for controls and rims for dashes.
    """
    from matplotlib.lines import Line2D

    entries: list[tuple[str, Any]] = []

    def group(heading: str, members: Sequence[tuple[str, dict[str, Any]]]) -> None:
        if members:
            entries.append((heading, None))
            entries.extend((name, Line2D([], [], **look)) for name, look in members)

    def methods(tuned: bool) -> list[tuple[str, dict[str, Any]]]:
        chosen = [name for name in shown.methods if fine_tunes(name) is tuned]
        look = looks.line if joined else looks.alone
        return [(name, look(name, shown.marks[0])) for name in chosen]

    control = looks.control if joined else looks.star
    controls = dict.fromkeys(line.method for line in shown.controls)
    group("cut, not fine-tuned", methods(False))
    group("fine-tuned", methods(True))
    group("nothing cut", [(name, control(name)) for name in controls])
    if len(shown.marks) > 1 and joined:
        group("dashes", [(m or "others", {"color": FAINT, **looks.mark(m)}) for m in shown.marks])
    elif len(shown.marks) > 1:
        group("with a dark rim", [(mark or "others", looks.rim()) for mark in shown.marks[1:]])
    _put(drawn, entries, place)


def _put(drawn: Figure, entries: Sequence[tuple[str, Any]], place: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    empty = Line2D([], [], linestyle="none")
    room = (place[1] - _LEGEND_END) / _LEGEND_LINE
    columns = 2 if len(entries) > 1.7 * room else 1
    size = _LEGEND_SIZE * min(1.0, room * columns / max(1, len(entries)))
    legend = drawn.legend(
        [handle or empty for _, handle in entries],
        [_brief(name) for name, _ in entries],
        loc="upper left", bbox_to_anchor=place, fontsize=size, ncols=columns,
        handlelength=_BESIDE_HANDLE - 0.8,
        handletextpad=0.8, labelspacing=0.45, borderaxespad=0,
    )  # fmt: skip
    for text, (_, handle) in zip(legend.get_texts(), entries, strict=True):
        if handle is None:
            text.set_fontweight("bold")
            text.set_x(-_BESIDE_HANDLE * size * drawn.dpi / 72)


def _brief(name: str, most: int = 27) -> str:
    """The end of a long name tells more than its beginning."""
    return literal(name if len(name) <= most else f"…{name[1 - most :]}")
