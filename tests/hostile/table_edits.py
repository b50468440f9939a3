"""Tokenizers and vocabularies that are broken, of another model, or traps."""

import json
from collections.abc import Callable
from typing import Any

Edits = dict[str, tuple[Callable[[bytes], bytes], bool]]

_DEEP = b"[" * 100_000 + b"]" * 100_000
_DIGITS = b"1" + b"0" * 400


def _whole(data: bytes) -> Callable[[bytes], bytes]:
    return lambda _: data


def _changed(edit: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table = json.loads(data)
        edit(table)
        return json.dumps(table).encode()

    return change


def _renumbered(number: bytes) -> Callable[[bytes], bytes]:
    """The first token has this number."""

    def change(data: bytes) -> bytes:
        table = json.loads(data)
        vocabulary = table["model"]["vocab"] if "model" in table else table
        vocabulary[next(iter(vocabulary))] = "<number>"
        return json.dumps(table).encode().replace(b'"<number>"', number)

    return change


def _vocabulary(edit: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    return _changed(lambda table: edit(table["model"]["vocab"]))


_SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}

TOKENIZERS: Edits = {
    "is empty": (_whole(b""), False),
    "is a list": (_whole(b"[]"), False),
    "is nested 100,000 deep": (_whole(_DEEP), False),
    "is no UTF-8": (_whole(b"\xff" * 99), False),
    "has another decoder": (_changed(lambda t: t.update(decoder={"type": "WordPiece"})), False),
    "has a decoder of a million letters": (
        _changed(lambda t: t.update(decoder={"type": "x" * 1_000_000})),
        False,
    ),
    "has a decoder that is a list": (_changed(lambda t: t.update(decoder=[])), False),
    "has no vocabulary": (_changed(lambda t: t.update(model={})), False),
    "has a vocabulary that is a list": (_changed(lambda t: t["model"].update(vocab=[1])), False),
    "has a number of 400 digits": (_renumbered(_DIGITS), False),
    "has a number of 5,000 digits": (_renumbered(b"9" * 5000), False),
    "has a negative number": (_renumbered(b"-1"), False),
    "has an infinite number": (_renumbered(b"1e999"), False),
    "has no number": (_renumbered(b"NaN"), False),
    "has the number 999,999": (_renumbered(b"999999"), False),
    "has half a character": (_vocabulary(lambda v: v.update({"\ud800": 5})), False),
    "is another model's": (_vocabulary(lambda v: v.update(more=292)), False),
    "has too few tokens": (
        _changed(lambda t: (t.update(added_tokens=[]), t["model"].update(vocab={"a": 0}))),
        False,
    ),
    "has added tokens that are a text": (_changed(lambda t: t.update(added_tokens="abc")), False),
    "has added tokens without content": (
        _changed(lambda t: t.update(added_tokens=[{"id": 1}])),
        False,
    ),
    "splits by a slow expression": (_changed(lambda t: t.update(pre_tokenizer=_SPLIT)), True),
    "spells escapes": (
        _vocabulary(lambda v: v.update(dict.fromkeys(["\x1b]0;owned\x07", "\r"], 7))),
        True,
    ),
}

VOCABULARIES: Edits = {
    "is empty": (_whole(b""), False),
    "is a list": (_whole(b"[]"), False),
    "is nested 100,000 deep": (_whole(_DEEP), False),
    "has a number of 400 digits": (_renumbered(_DIGITS), False),
    "has a negative number": (_renumbered(b"-1"), False),
    "has a number beyond the model's": (_renumbered(b"31"), False),
    "has half a number": (_renumbered(b"0.5"), False),
    "has half a character": (_changed(lambda t: t.update({"\ud800": 3})), False),
    "has a symbol of a million letters": (
        _changed(lambda t: t.update({"x" * 1_000_000: 3})),
        False,
    ),
    "spells escapes": (_changed(lambda t: t.update({"\x1b[2J\x9b": 5})), True),
    "has no symbols": (_whole(b"{}"), False),
}
