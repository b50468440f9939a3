"""Marks that say what a point is without any colour: shape is structure, filling is trust."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from bench.agent.verdicts import EMULATED
from bench.rows import ESTIMATED, Row
from prune.methods import METHODS

Trust = Literal["measured", "estimated", "emulated"]
TRUSTS: tuple[Trust, ...] = ("measured", "estimated", "emulated")
STRUCTURES = ("dense", "unstructured", "n:m", "heads and neurons")
#: By structure and trust.
GLYPHS = {
    "dense": "◆◇◈",
    "unstructured": "●○◌",
    "n:m": "■□▣",
    "heads and neurons": "▲△◬",
}
UNBEATEN, FAILS, UNFINISHED = "★", "✗", "…"


def trust_of(row: Row) -> Trust:
    if ESTIMATED in row.verdicts:
        return "estimated"
    return "emulated" if EMULATED in row.verdicts else "measured"


@lru_cache(maxsize=1024)
def structure_of(method: str) -> str:
    """Of the method's name; one that this version does not know counts as unstructured."""
    if method.startswith("dense"):
        return "dense"
    known = METHODS.get(method)
    return known.structure if known else "unstructured"


def glyph_of(row: Row) -> str:
    return GLYPHS[structure_of(row.method)][TRUSTS.index(trust_of(row))]


def is_unfinished(row: Row) -> bool:
    """Of a journal that was imported before its end: nothing was measured, nothing went wrong."""
    return row.latency_ms is None and row.problem is None
