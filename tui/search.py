"""`/`: words that must all be found, letters in order, and comparisons such as `wer<5`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.rows import Row
from tui.tradeoffs import axes

_AXES = {
    "wer": axes.WER,
    "cer": axes.CER,
    "ms": axes.LATENCY,
    "latency": axes.LATENCY,
    "zeros": axes.SPARSITY,
    "sparsity": axes.SPARSITY,
    "mib": axes.SIZE,
    "size": axes.SIZE,
    "peak": axes.MEMORY,
    "memory": axes.MEMORY,
    "rtf": axes.RTF,
    "energy": axes.ENERGY,
}
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_COMPARISON = re.compile(r"([a-z]+)(<=|>=|<|>)([0-9.]*)")


def blob(row: Row) -> str:
    """All that words are looked for in."""
    told = (row.name, row.method, row.family, row.precision, row.settings, *row.verdicts)
    return " ".join(part for part in told if part).lower()


@dataclass(frozen=True)
class _Comparison:
    axis: axes.Axis
    sign: Callable[[float, float], bool]
    bound: float

    def holds(self, row: Row) -> bool:
        value = self.axis.value(row)
        return value is not None and self.sign(value, self.bound)


class Search:
    """An empty one finds everything."""

    def __init__(self, query: str):
        self.query = query.strip().lower()
        self._words: list[re.Pattern[str]] = []
        self._comparisons: list[_Comparison] = []
        for word in self.query.split():
            found = _COMPARISON.fullmatch(word)
            if found and found[1] in _AXES:
                self._compare(*found.groups())
            else:
                self._words.append(_in_order(word))

    def __bool__(self) -> bool:
        return bool(self._words or self._comparisons)

    def finds(self, row: Row, told: str) -> bool:
        """`told` is the row's blob, which is made once."""
        return all(word.search(told) for word in self._words) and all(
            comparison.holds(row) for comparison in self._comparisons
        )

    def _compare(self, name: str, sign: str, bound: str) -> None:
        """One that is still being typed says nothing yet."""
        try:
            value = float(bound)
        except ValueError:
            return
        self._comparisons.append(_Comparison(_AXES[name], _SIGNS[sign], value))


def _in_order(word: str) -> re.Pattern[str]:
    """Its letters in this order within one word, others between them: `ob70` finds `obs-70`."""
    first, *rest = (re.escape(letter) for letter in word)
    between = [f"[^{letter}\\s]*{letter}" for letter in rest]
    return re.compile(first + "".join(between))
