"""Tokens are spelt as the tokenizers library spells them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from runtime.spelling import Spelling
from speech.assets import assets_folder
from speech.errors import BadInput

DEMO = assets_folder() / "demo-whisper" / "tokenizer.json"


@pytest.fixture
def tokenizer() -> Any:
    """The demo's, with specials, a timestamp, a word that is added and one in other letters."""
    tokenizer = Tokenizer.from_file(str(DEMO))
    tokenizer.add_special_tokens(["<|new|>"])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in ("plain", "日本", "é")])
    return tokenizer


@pytest.fixture
def spelling(tokenizer: Any, tmp_path: Path) -> Spelling:
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return Spelling.read(tmp_path / "tokenizer.json")


def test_every_token_by_itself(tokenizer: Any, spelling: Spelling) -> None:
    for token in range(tokenizer.get_vocab_size() + 3):
        assert spelling([token]) == tokenizer.decode([token], skip_special_tokens=True), token


def test_random_tokens_in_a_row(tokenizer: Any, spelling: Spelling) -> None:
    """Bytes in any order: most are no UTF-8, and the marks for that must be the same too."""
    random = np.random.default_rng(0)
    for _ in range(300):
        tokens = random.integers(0, tokenizer.get_vocab_size(), random.integers(0, 40)).tolist()
        assert spelling(tokens) == tokenizer.decode(tokens, skip_special_tokens=True)


def test_text_in_any_script(tokenizer: Any, spelling: Spelling) -> None:
    for text in ("turn on the lights", "Grüße, 東京! 🙂 ½", " \t\n  x", "\u00ad\u0301"):
        assert spelling(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_timestamps_are_not_text(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.add_tokens(["<|12.34|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    stamp = tokenizer.token_to_id("<|12.34|>")
    words = tokenizer.encode(" lights", add_special_tokens=False).ids
    assert tokenizer.decode([stamp]) == "<|12.34|>"
    assert Spelling.read(tmp_path / "tokenizer.json")([stamp, *words, stamp]) == " lights"


@pytest.mark.parametrize(
    "change",
    [
        {"decoder": {"type": "WordPiece"}},
        {"decoder": None},
        {"model": {"type": "BPE"}},
        {"model": {"vocab": {"a": "first"}}},
        {"model": {"vocab": {"a": -1}}},
        {"model": {"vocab": {"a": 10**12}}},
        {"added_tokens": [{"id": 1}]},
        {"added_tokens": None},
    ],
)
def test_another_kind_of_tokenizer_is_named(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(DEMO.read_text()) | change))
    with pytest.raises(BadInput, match="is no byte-level tokenizer") as error:
        Spelling.read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{", b"3"])
def test_what_is_no_tokenizer_at_all_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"tokenizer\.json is no byte-level tokenizer"):
        Spelling.read(path)
