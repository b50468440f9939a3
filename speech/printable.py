"""Text from outside, made safe to show: what a terminal would obey becomes visible instead."""

import re

#: Control characters (C0, DEL, C1), line separators, overrides of the direction of writing, and
#: lone surrogates, which no terminal's encoding has.
_OBEYED = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"

_ANY = re.compile(f"[{_OBEYED}]")
_ANY_BUT_LINES = re.compile(f"(?!\n)[{_OBEYED}]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str) -> str:
    """In one line: a name, a cell of a table, a word of a transcript."""
    return _ANY.sub(_escape, text)


def printable_lines(text: str) -> str:
    """As `printable`, but the text keeps its lines."""
    return _ANY_BUT_LINES.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    """From DEL upwards as JSON writes it: an object printed as JSON stays the same object."""
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{ord(character):02x}" if character < "\x20" else f"\\u{ord(character):04x}"
