"""Bad luck for readers: values of another kind, and bytes that are not as they were written."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

Rng = np.random.Generator


def _deep() -> Any:
    value: Any = []
    for _ in range(60):
        value = [value]
    return value


#: What stands where something else should.
STRANGE: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, -(2**63), 2**64, 10**400),
    *(0.5, -0.5, -0.0, 1e-300, 1e16, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", " ", "x", "..", "/", "a\0b", "\ud800", "\x1b[2J", "0" * 64, "x" * 100_000, "نعم", "1"),
    *([], {}, [[]], {"": {}}, ["x", 1], {"x": 1}, _deep()),
]


STRAY = [
    *(b"-", b"9" * 500, b"\0", b"\xff", b"\n", b"[" * 3000, b'"', b"{", b"}", b"1e999", b"nan"),
    *(b"0x" + b"f" * 5000, b"\\u", b"\\ud800", b"\xed\xa0\x80", b","),
]


def spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (*way, key)
        yield from spots(value[key], (*way, key))


def mutated(value: Any, rng: Rng, *, strokes: int = 3) -> Any:
    """A copy in which one to `strokes` values are others, missing, or under another key."""
    value = copy.deepcopy(value)
    for _ in range(rng.integers(1, strokes + 1)):
        ways = list(spots(value))
        if not ways:
            break
        *way, last = ways[rng.integers(len(ways))]
        holder = value
        for key in way:
            holder = holder[key]
        match rng.integers(4):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[_any(rng, ["x", "", "\ud800", "k" * 5000, "kind"])] = holder.pop(last)
            case _:
                holder[last] = copy.deepcopy(_any(rng, STRANGE))
    return value


def scrambled(data: bytes, rng: Rng) -> bytes:
    """With bytes that are changed, missing, repeated or from elsewhere."""
    for _ in range(rng.integers(1, 4)):
        start, end = sorted(rng.integers(len(data) + 1, size=2).tolist())
        end = min(end, start + int(rng.integers(1, 200)))
        match rng.integers(5):
            case 0:
                data = data[:start] + rng.bytes(end - start) + data[end:]
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]
            case 3:
                data = data[:start]
            case _:
                data = data[:start] + _any(rng, STRAY) + data[start:]
    return data


def _any(rng: Rng, values: list[Any]) -> Any:
    return values[rng.integers(len(values))]
