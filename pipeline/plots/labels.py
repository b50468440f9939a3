"""Where names go beside points so that none covers another name or a point."""

from __future__ import annotations

from collections.abc import Sequence

from tui.tradeoffs.axes import Point

#: Left, bottom, right, top.
Box = tuple[float, float, float, float]

#: Of a letter, in parts of the size of the text.
_WIDTH, _HEIGHT = 0.6, 1.25
_GAP = 13.0


def placed(
    points: Sequence[Point], names: Sequence[str], others: Sequence[Point], frame: Box, size: float
) -> list[Point | None]:
    """The left end and the middle of each name's height, in dots; None where there is no room.

    `others` are points that no name may lie on, `frame` what names stay inside, `size` the height
    of the text in dots.
    """
    taken = [(x - _GAP / 2, y - _GAP / 2, x + _GAP / 2, y + _GAP / 2) for x, y in others]
    found: list[Point | None] = []
    for (x, y), name in zip(points, names, strict=True):
        width, half = len(name) * size * _WIDTH, size * _HEIGHT / 2
        box = next(
            (
                box
                for left, middle in _places(x, y, width, half)
                if _is_inside(box := (left, middle - half, left + width, middle + half), frame)
                and not any(_overlap(box, other) for other in taken)
            ),
            None,
        )
        found.append((box[0], (box[1] + box[3]) / 2) if box else None)
        if box:
            taken.append(box)
    return found


def _places(x: float, y: float, width: float, half: float) -> list[Point]:
    """To the right, to the left, above and below, each also somewhat further away."""
    beside = [
        (side, y + sign * far)
        for far in (0.0, 1.6 * half, 3.2 * half)
        for side in (x + _GAP, x - _GAP - width)
        for sign in (1, -1)
    ]
    above = [
        (left, y + sign * (half + _GAP + far))
        for far in (0.0, 2.4 * half, 4.8 * half, 7.2 * half, 9.6 * half, 12.0 * half)
        for left in (x - width / 2, x - _GAP / 2, x + _GAP / 2 - width)
        for sign in (1, -1)
    ]
    return [*beside[:4], *above[:6], *beside[4:], *above[6:]]


def _is_inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
