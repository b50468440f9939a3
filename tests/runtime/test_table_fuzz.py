"""Damaged tokenizers and tables of symbols: they spell something, or are one sentence."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.ctc import read_symbols
from runtime.spelling import Spelling
from speech.errors import BadInput
from tests.runtime.mangling import damaged, mangled, often

_PLACE = tempfile.TemporaryDirectory(prefix="secateur-tests-")
_FILE = Path(_PLACE.name) / "table.json"

#: As `tokenizers` writes it, as far as anybody reads it.
TOKENIZER = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [
            {"id": 6, "content": "<|endoftext|>", "special": True, "normalized": False},
            {"id": 7, "content": "<|0.02|>", "special": False, "normalized": False},
            {"id": 8, "content": "plain", "special": False, "normalized": True},
        ],
        "decoder": {"type": "ByteLevel", "add_prefix_space": True},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ã": 4, "©": 5}},
    }
)
SYMBOLS = json.dumps({"<pad>": 0, "|": 1, "a": 2, "é": 3, "<unk>": 4})


def spells_or_is_refused(data: bytes) -> None:
    _FILE.write_bytes(data)
    for read in (_spelt, _symbols):
        try:
            text = read()
        except BadInput as error:
            assert str(_FILE) in str(error) and "\n" not in str(error)
            assert len(str(error)) < 1500
        else:
            text.encode()


def _spelt() -> str:
    spelling = Spelling.read(_FILE)
    assert -1 <= spelling.highest < 10**6 and 0 <= spelling.first_silent() <= 10**6
    return spelling([*range(300), -1, 10**6])


def _symbols() -> str:
    symbols = read_symbols(_FILE)
    assert all(0 <= number < 10**6 for number in symbols)
    return "".join(symbols.values())


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from([TOKENIZER, SYMBOLS]))
    if draw(st.booleans()):
        return draw(damaged(text.encode()))
    value: Any = draw(mangled(text))
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


@often(max_examples=200)
@given(tables())
def test_a_damaged_table(data: bytes) -> None:
    spells_or_is_refused(data)


@pytest.mark.long
@often(max_examples=2000)
@given(tables())
def test_two_thousand_damaged_tables(data: bytes) -> None:
    spells_or_is_refused(data)
