"""The gate for values from outside: what does not fit is a ValueError that names its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest

from speech.parsed import json_from
from speech.records import (
    Count,
    Keys,
    Length,
    Pattern,
    Range,
    Seconds,
    Share,
    record_from,
    shortened,
    value_from,
)


@dataclass(frozen=True)
class Part:
    share: Share
    length: Annotated[float, Range(above=0)] = 1.0


@dataclass(frozen=True)
class Whole:
    name: Annotated[str, Length(10, least=1)]
    seconds: Seconds = 0.0
    count: Count = 0
    kind: Literal["one", "two"] = "one"
    parts: tuple[Part, ...] = ()
    pair: tuple[int, str] | None = None
    by_name: Mapping[str, Seconds] | None = None
    facts: Mapping[str, Any] | None = None
    score: Annotated[Mapping[str, Any], Keys((("wer", Share),))] | None = None
    path: Path | None = None
    hash: Annotated[str, Pattern("[0-9a-f]{4}", "four hexadecimal digits")] | None = None


@dataclass(frozen=True)
class Open:
    ignores_unknown_keys: ClassVar[bool] = True
    name: str


def test_what_fits_becomes_the_record() -> None:
    table = {
        "name": "a",
        "seconds": 2,
        "parts": [{"share": 1}],
        "pair": [3, "ü"],
        "by_name": {"encoder": 0.5},
        "facts": {"deep": [{"list": [1, 2.5, None, True, "x"]}]},
        "score": {"wer": 0.5, "newer": [1]},
        "path": "/tmp/x",
        "hash": "00ff",
    }
    found = record_from(Whole, json.loads(json.dumps(table)))
    assert found == Whole(
        "a",
        2.0,
        parts=(Part(1.0),),
        pair=(3, "ü"),
        by_name={"encoder": 0.5},
        facts=table["facts"],  # type: ignore[arg-type]
        score={"wer": 0.5, "newer": [1]},
        path=Path("/tmp/x"),
        hash="00ff",
    )
    assert type(found.seconds) is float


DEEP = '{"name": "a", "facts": {"x": ' + "[" * 200 + "]" * 200 + "}}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "the record is not an object"),
        ('{"name": ""}', "name must have 1 to 10 characters, got 0"),
        ('{"name": "aaaaaaaaaaaa"}', "name must have 1 to 10 characters, got 12"),
        ('{"name": "\\ud800"}', r"name is no valid Unicode text, got '\\ud800'"),
        ('{"name": "a", "seconds": -0.5}', "seconds must be between 0 and 10000000, got -0.5"),
        ('{"name": "a", "seconds": 1e-300}', "seconds must be 0 or at least 1e-10, got 1e-300"),
        ('{"name": "a", "seconds": NaN}', "seconds must be a finite number, got nan"),
        ('{"name": "a", "seconds": 1e999}', "seconds must be a finite number, got inf"),
        ('{"name": "a", "seconds": 1e308}', "seconds is too large, got 1e.308"),
        (f'{{"name": "a", "seconds": {"9" * 400}}}', "seconds is too large, got a number of 400"),
        (f'{{"name": "a", "count": 1{"0" * 400}}}', "count is too large"),
        ('{"name": "a", "count": 1.0}', "count must be int, got 1.0"),
        ('{"name": "a", "count": true}', "count must be int, got True"),
        ('{"name": "a", "count": -1}', "count must be between 0 and"),
        ('{"name": "a", "kind": ["one"]}', r"kind must be one of one, two, got \['one'\]"),
        (
            '{"name": "a", "parts": [{"share": 0}, {"share": 2}]}',
            r"\[1\].share must be between",
        ),
        (
            '{"name": "a", "parts": [{"share": 0, "length": 0}]}',
            r"parts\[0\].length must be above 0",
        ),
        ('{"name": "a", "parts": [{}]}', r"parts\[0\] lacks the key 'share'"),
        ('{"name": "a", "parts": [{"share": 0, "x": 1}]}', r"parts\[0\] has an unknown key 'x'"),
        ('{"name": "a", "pair": [1]}', "pair must have 2 entries, got 1"),
        ('{"name": "a", "by_name": {"x": {"y": 1}}}', "by_name.x must be float"),
        ('{"name": "a", "by_name": {"\\udc00": 1}}', "by_name.* is no valid Unicode"),
        ('{"name": "a", "facts": {"x": ["\\ud83d"]}}', "facts.* is no valid Unicode text"),
        ('{"name": "a", "facts": {"x": -Infinity}}', "facts.x must be a finite number"),
        (DEEP, "facts.* is nested too deeply"),
        ('{"name": "a", "score": {"wer": "x"}}', "score.wer must be float, got 'x'"),
        ('{"name": "a", "path": "a\\u0000b"}', "path cannot be a path"),
        ('{"name": "a", "hash": "00FF"}', "hash must be four hexadecimal digits, got '00FF'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        record_from(Whole, json_from(text))


def test_a_class_may_leave_unknown_keys_to_newer_versions() -> None:
    assert record_from(Open, {"name": "a", "newer": {"x": 1}}) == Open("a")


def test_a_complaint_is_short_whatever_was_sent() -> None:
    for value in ("x" * 10**6, ["y" * 10**5] * 100, {"k" * 10**5: 1}, 16**9000):
        with pytest.raises(ValueError, match="seconds") as caught:
            record_from(Whole, {"name": "a", "seconds": value})
        assert len(str(caught.value)) < 1000
        assert len(shortened(value)) < 1000
    with pytest.raises(ValueError, match="key of 100000 characters") as caught:
        record_from(Whole, {"name": "a", "by_name": {"k" * 10**5: 1}})
    assert len(str(caught.value)) < 200


def test_any_value_may_be_asked_for_by_its_type() -> None:
    assert value_from(list[int], [1, 2], "numbers") == [1, 2]
    with pytest.raises(ValueError, match=r"numbers\[1\] must be int"):
        value_from(list[int], [1, "2"], "numbers")
