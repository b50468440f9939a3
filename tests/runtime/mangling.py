"""Strokes of bad luck for bytes and for JSON values, as strategies of hypothesis."""

import functools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

often = functools.partial(
    settings,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

#: What a key may hold instead of what it should.
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["", "..", "/", "bundle.json", "vocab.json", "\ud800", "a\0b", "0" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (*way, key)
        yield from spots(value[key], (*way, key))


@st.composite
def mangled(draw: st.DrawFn, text: str) -> Any:
    """A sound JSON value after one to three strokes of bad luck."""
    value = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(spots(value))))
        holder = functools.reduce(lambda inner, key: inner[key], way, value)
        change = draw(st.sampled_from(["another", "none", "twice", "elsewhere"]))
        if change == "another":
            holder[last] = draw(anything)
        elif change == "none":
            del holder[last]
        elif isinstance(holder, list):
            holder.append(holder[last])
        else:
            holder[draw(st.text(max_size=5))] = holder[last]
        if not value:
            break
    return value


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes overwritten, removed, put in or moved."""
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        end = min(end, start + draw(st.sampled_from([1, 4, 64, 512, 1 << 20])))
        put = draw(st.one_of(st.binary(max_size=8), st.just(b""), st.just(data[start:end] * 2)))
        data = data[:start] + put + data[end:]
    return data
