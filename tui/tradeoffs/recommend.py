"""The one variant to take, why, and what the next better one would cost.

All rows are to be of one device and one `bench.groups.Group`: error rates and times of others
cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import wer_with_interval
from bench.rows import Row
from tui.tradeoffs.axes import LATENCY, MEMORY, SIZE, WER
from tui.tradeoffs.budgets import Excess, Limits, excesses, unknown
from tui.tradeoffs.difference import alike
from tui.tradeoffs.ties import simplest, tied

_FEW = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


@dataclass(frozen=True)
class Recommendation:
    """Positions among the rows that were asked about, and sentences to say."""

    best: int | None
    why: str
    better: int | None = None
    price: str = ""


def recommend(
    rows: Sequence[Row], limits: Limits, losses: Sequence[float | None]
) -> Recommendation:
    """Of all that fit and whose WER is not significantly different from the lowest, the fastest.

    Whoever's latency may be the fastest one's ties with it; `simplest` decides among those.
    """
    able = [at for at, row in enumerate(rows) if WER.value(row) is not None and not row.problem]
    if not able:
        return Recommendation(None, "No variant here has a word error rate to choose by.")
    broken = {at: excesses(rows[at], limits, losses[at]) for at in able}
    fitting = [at for at in able if not broken[at]]
    if not fitting:
        return _nearest(rows, broken)
    finest = min(fitting, key=lambda at: (_wer(rows[at]), _effort(rows[at])))
    equals = [at for at in fitting if at == finest or alike(rows[at], rows[finest], WER)]
    fastest = tied(rows, equals)
    best, reason = simplest(rows, fastest)
    why = _why(rows[best], len(equals), len(fastest), reason)
    doubts = unknown(rows[best], limits, losses[best])
    if doubts:
        why += f" Whether it keeps the budget of {_listed([d.name for d in doubts])} is not known."
    better = _next_better(rows, broken, best)
    return Recommendation(best, why, better, _price(rows, broken, best, better))


def _wer(row: Row) -> float:
    value = WER.value(row)
    return math.inf if value is None else value


def _effort(row: Row) -> tuple[float, ...]:
    """By latency, then memory, then size, then the more zeros; what nobody knows comes last."""
    values = [axis.value(row) for axis in (LATENCY, MEMORY, SIZE)]
    known = [math.inf if value is None else value for value in values]
    return (*known, -(row.achieved_percent or 0.0))


def _why(row: Row, equals: int, fastest: int, reason: str) -> str:
    facts = f"WER {wer_with_interval(row)} %{_costs(row)}"
    if equals == 1:
        return f"{row.name} has the lowest WER of all that fit: {facts}."
    among = f"{_count(equals)} that fit and whose WER is not significantly different"
    if fastest == 1:
        return f"{row.name} is the fastest of {among}: {facts}."
    tie = (
        f"none of these {_count(equals)} has a latency"
        if LATENCY.value(row) is None
        else f"the latencies of {_count(fastest)} of them overlap, which is a tie"
        if fastest < equals
        else "their latencies overlap, which is a tie"
    )
    return f"{row.name} is taken of {among}: {tie}, and it {reason}: {facts}."


def _count(number: int) -> str:
    return _FEW.get(number, str(number))


def _costs(row: Row) -> str:
    told = [
        f"{value:.{digits}f} {unit}"
        for axis, digits, unit in ((LATENCY, 1, "ms"), (MEMORY, 0, "MiB peak"), (SIZE, 2, "MiB"))
        if (value := axis.value(row)) is not None
    ]
    doubt = [verdict for verdict in row.verdicts if verdict != "VALID"]
    return "".join(f", {part}" for part in told) + (f" ({', '.join(doubt)})" if doubt else "")


def _next_better(rows: Sequence[Row], broken: dict[int, list[Excess]], best: int) -> int | None:
    """The cheapest one of significantly lower WER; it breaks some budget, or it would be taken."""
    finer = [
        at
        for at in broken
        if _wer(rows[at]) < _wer(rows[best]) and not alike(rows[at], rows[best], WER)
    ]
    return min(finer, key=lambda at: (_worst(broken[at]), _effort(rows[at])), default=None)


def _worst(broken: Sequence[Excess]) -> float:
    return max((excess.ratio for excess in broken), default=0.0)


def _price(
    rows: Sequence[Row], broken: dict[int, list[Excess]], best: int, better: int | None
) -> str:
    if better is None:
        return "Nothing that was measured here has a significantly lower WER."
    costs = "; ".join(map(str, broken[better])) or "nothing more"
    return (
        f"Next better: {rows[better].name}, WER {_wer(rows[better]):.1f} instead of "
        f"{_wer(rows[best]):.1f} %, for {costs}."
    )


def _nearest(rows: Sequence[Row], broken: dict[int, list[Excess]]) -> Recommendation:
    """Nothing fits: the one that breaks its worst budget by least, to show how far off it is."""
    at = min(broken, key=lambda at: (_worst(broken[at]), _wer(rows[at])))
    costs = "; ".join(map(str, broken[at]))
    return Recommendation(
        None, "Nothing fits the budgets.", at, f"The nearest is {rows[at].name}: {costs}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
