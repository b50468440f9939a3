"""The plot as characters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.scatter_grid import MARGIN, Grid, Plane, Scene, Window, draw, nearest

NAN = float("nan")


def text(grid: Grid) -> list[str]:
    return ["".join(character for character, _ in line) for line in grid.cells]


def scene(x: list[float], y: list[float], **more: object) -> Scene:
    count = len(x)
    return Scene(
        np.array(x),
        np.array(y),
        ["●"] * count,
        ["method-0"] * count,
        **more,  # type: ignore[arg-type]
    )


def test_points_lie_where_their_numbers_say_and_ticks_beside_them() -> None:
    window = Window((0.0, 10.0), (0.0, 4.0))
    lines = text(draw(scene([0.5, 9.5, NAN], [3.5, 0.5, 1.0]), window, MARGIN + 20, 5))
    assert lines[0][MARGIN + 1] == "●"
    assert lines[3][MARGIN + 19] == "●"
    assert sum(line.count("●") for line in lines) == 2
    assert lines[3].startswith("     0┤")
    assert lines[4].split() == ["0", "10"]


def test_the_selected_one_has_brackets_and_is_on_top() -> None:
    drawn = draw(scene([5, 5], [2, 2], selected=0), Window((0, 10), (0, 4)), 40, 9)
    [line] = [line for line in text(drawn) if "●" in line]
    assert "[●]" in line


def test_the_stairs_never_claim_more_than_the_points_reach() -> None:
    """Lower is better in y; at each x the line has the y of a point that is no worse in x."""
    window = Window((0, 10), (0, 10))
    less = text(draw(scene([1, 9], [9, 1], front=[0, 1]), window, MARGIN + 10, 11))
    more = text(
        draw(scene([1, 9], [1, 9], front=[0, 1], more_is_better=True), window, MARGIN + 10, 11)
    )
    assert less[0][MARGIN + 1 :] == "●───────┐"
    assert less[8][MARGIN + 9] == "●"
    assert more[0][MARGIN + 1 :] == "┌───────●"
    assert more[8][MARGIN + 1] == "●"


def test_intervals_and_budgets_are_drawn() -> None:
    bars = (np.array([1.0]), np.array([3.0]))
    window = Window((0, 10), (0, 4))
    drawn = text(draw(scene([5], [2], y_bars=bars, x_limit=8.0), window, MARGIN + 10, 9))
    column = [line[MARGIN + 5] for line in drawn]
    assert column[1:6] == ["┬", "│", "●", "│", "┴"]
    assert all(line[MARGIN + 8] == "╎" for line in drawn[:-1])


def test_a_click_finds_the_nearest_point_and_nothing_far_away() -> None:
    window = Window((0, 10), (0, 4))
    shown = scene([1, 9, NAN], [1, 3, 2])
    plane = Plane(window, 40, 9)
    column, row = plane.column(9), plane.row(3)
    assert nearest(shown, window, 40, 9, column + 1, row) == 1
    assert nearest(shown, window, 40, 9, column - 14, row) is None


@given(
    st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=30),
    st.integers(MARGIN + 1, 80),
    st.integers(2, 30),
)
def test_everything_is_inside_its_own_window_whatever_the_size(
    points: list[tuple[float, float]], width: int, height: int
) -> None:
    x, y = map(np.array, zip(*points, strict=True))
    window = Window.around(x, y)
    assert window
    columns, rows = Plane(window, width, height).cells(x, y)
    assert (columns >= MARGIN).all()
    assert (columns < max(width, MARGIN + 1)).all()
    assert (rows >= 0).all()
    draw(scene(list(x), list(y), front=[0], selected=0), window, width, height)


def test_zooming_keeps_what_is_under_the_pointer() -> None:
    window = Window((0.0, 10.0), (0.0, 4.0))
    near = window.zoomed(0.5, (0.25, 1.0))
    assert near.x == (1.25, 6.25)
    assert near.y == (2.0, 4.0)
    assert near.zoomed(2.0, (0.25, 1.0)) == window
    assert window.moved(0.5, -0.25) == Window((5.0, 15.0), (-1.0, 3.0))


def test_without_both_numbers_there_is_no_window() -> None:
    assert Window.around(np.array([NAN, 1.0]), np.array([1.0, NAN])) is None
    assert Window.around(np.array([2.0]), np.array([0.0])) is not None


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_a_window_beyond_all_numbers_is_still_drawn(factor: float) -> None:
    window = Window((0.0, 10.0), (0.0, 4.0)).zoomed(factor)
    draw(scene([5], [2], front=[0], selected=0, x_limit=3.0), window, 40, 9)
