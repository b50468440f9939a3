"""Taking away what is missed least, one after another, where each miss has to be measured."""

import math
from collections.abc import Callable, Mapping

#: Measures the damage when so many of each part are gone.
Damage = Callable[[Mapping[str, int]], float]

#: Between two looks at where the damage stands at most this share of all removals is made.
_TOGETHER = 1 / 24


def cheapest(
    room: Mapping[str, int],
    count: int,
    damage: Damage,
    *,
    together: float = _TOGETHER,
    progress: Callable[[int], None] | None = None,
) -> dict[str, int]:
    """How many of each part go, `count` in all and at most the part's `room`.

    Each time that part loses one more whose loss adds least to the damage so far. Parts are not
    measured anew each time: what one added before is taken for the least that it will add, as
    damage gets worse with every loss, and only those that could be cheapest are measured.
    """
    gone, least = dict.fromkeys(room, 0), dict.fromkeys(room, -math.inf)
    now = 0.0
    while (left := count - sum(gone.values())) > 0:
        going: dict[str, float] = {}
        measured: dict[str, float] = {}
        for _ in range(min(left, max(1, round(together * count)))):
            open_ = [name for name in room if gone[name] < room[name] and name not in going]
            if not open_:
                break
            name = min(open_, key=lambda name: least[name])
            while name not in measured:
                measured[name] = damage(gone | {name: gone[name] + 1})
                least[name] = measured[name] - now
                name = min(open_, key=lambda name: least[name])
            going[name] = measured[name]
        if not going:
            raise ValueError(f"{count} cannot go: there is room for {sum(room.values())}")
        for name in going:
            gone[name] += 1
        now = max(going.values()) if len(going) == 1 else damage(gone)
        if progress:
            progress(sum(gone.values()))
    return gone
