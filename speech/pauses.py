"""Long audio in pieces that fit a model, cut where it is quietest: words stay whole."""

from collections.abc import Iterable, Iterator

import numpy as np

from speech.audio import RATE, Floats

#: Seconds that a CTC model is given in one piece unless a window is set: the longest utterance that
#: such models are trained and scored on (LibriSpeech's) has 35. Memory grows with it.
WHOLE = 40.0

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
    return list(pieces([samples], longest))


def pieces(blocks: Iterable[Floats], longest: int) -> Iterator[Floats]:
    """The same pieces of samples that come block by block, each as soon as its end is known."""
    waiting, count = list[Floats](), 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count > longest:
            rest = _joined(waiting)
            while len(rest) > longest:
                place = _quietest(rest[:longest])
                yield rest[:place]
                rest = rest[place:]
            waiting, count = [rest], len(rest)
    yield _joined(waiting)


def _joined(blocks: list[Floats]) -> Floats:
    return blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros(0, np.float32), *blocks])


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
