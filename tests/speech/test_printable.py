"""Text from outside reaches a terminal as text, and never as a command to it."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from speech.printable import printable, printable_lines


def test_what_a_terminal_would_obey_becomes_visible() -> None:
    assert printable("\x1b]0;owned\x07") == r"\x1b]0;owned\x07"
    assert printable("\x9b31m\x7f") == r"\u009b31m\u007f"
    assert printable("gpj.\u202eexe\u2066") == r"gpj.\u202eexe\u2066"
    assert printable("two\nlines\r\tand\u2028more") == r"two\nlines\r\tand\u2028more"
    assert printable("\udcff") == r"\udcff"


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    for text in ("", "0.12 ± 0.03 s × 4 …", "größer", "שלום", "日本語", "👩‍💻", r"C:\new"):
        assert printable(text) == text


def test_lines_stay_lines_where_they_are_meant() -> None:
    assert printable_lines("a\r\nb\x1b\n") == "a\\r\nb\\x1b\n"


@given(st.text())
def test_no_text_leaves_a_control_character_and_no_text_fails(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in shown)
    assert printable(shown) == shown
    assert printable_lines(text).count("\n") == text.count("\n")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_object(text: str) -> None:
    line = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(printable(line)) == {"text": text}
