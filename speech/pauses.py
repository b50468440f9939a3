"""Long audio in pieces that a model can hear, cut where it is quietest: words stay whole."""

import numpy as np

from speech.audio import RATE, Floats

#: Seconds over which loudness is averaged: longer than the closure of a stop inside a word.
_PAUSE = 0.2

#: Seconds between the places that are compared.
_STEP = 0.02

#: The last part of a piece, in which the cut is looked for: a share of it, and seconds at most. The
#: more there is to choose from, the longer the pause that is found, and the more pieces there are.
_SHARE, _MOST = 2 / 3, 10.0


def cut_at_pauses(samples: Floats, longest: int) -> list[Floats]:
    """Pieces that follow one another without a gap, none with more samples than `longest`.

    Of equally quiet places the last is taken. What fits into one piece is one, even if it is empty.
    """
    pieces, rest = list[Floats](), samples
    while len(rest) > longest:
        place = _quietest(rest[:longest])
        pieces.append(rest[:place])
        rest = rest[place:]
    return [*pieces, rest]


def _quietest(piece: Floats) -> int:
    """Where to end a piece that has the most samples allowed."""
    step, frames = int(_STEP * RATE), round(_PAUSE / _STEP)
    part = piece[len(piece) - min(int(len(piece) * _SHARE), int(_MOST * RATE)) :]
    count = len(part) // step
    if count <= frames:
        return len(piece)
    power = np.square(part[len(part) - count * step :].reshape(count, step)).mean(axis=1)
    loudness = np.convolve(power, np.ones(frames), "valid")
    latest = len(loudness) - 1 - int(loudness[::-1].argmin())
    return len(piece) - (count - latest) * step + frames * step // 2
