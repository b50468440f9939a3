"""The table `rows`: what a comparison shows of each case, so that no sample is read for it.

It is made of `cases` and `bundles`, and made anew as soon as `bench.rows.Row` has other columns.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from sys import intern
from typing import Any, get_type_hints

from bench.agent.measurement import Measurement
from bench.rows import Row, rows_from
from runtime.bundle import model_in

#: Counts up when the same columns are to hold other values.
VERSION = 1
#: Takes how many rows are made, of how many.
Progress = Callable[[int, int], None]
#: Between two reports of the progress.
_STEP = 500

NAMES = tuple(field.name for field in fields(Row))
_KINDS: dict[Any, tuple[str, tuple[type, ...]]] = {
    str: ("TEXT NOT NULL", (str,)),
    str | None: ("TEXT", (str, type(None))),
    int: ("INTEGER NOT NULL", (int,)),
    int | None: ("INTEGER", (int, type(None))),
    float | None: ("REAL", (float, type(None))),
    bool: ("INTEGER NOT NULL", (int,)),
    tuple[str, ...]: ("TEXT NOT NULL", (str,)),  # with a space between
}
_HINTS = get_type_hints(Row)
#: `identity` and `says` are those of Row, `folder` is where the bundle lay when it was measured.
STATEMENT = (
    f"CREATE TABLE rows (/* {VERSION} */ "
    '"case" INTEGER PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE, '
    "identity TEXT NOT NULL, says INTEGER NOT NULL, folder TEXT NOT NULL, "
    + ", ".join(f'"{name}" {kind}' for name in NAMES for kind, _ in [_KINDS[_HINTS[name]]])
    + ") STRICT"
)
_INDEXES = (
    'CREATE INDEX rows_by_identity ON rows (identity, says, measured_at, "case")',
    "CREATE INDEX rows_by_device ON rows (device)",
    "CREATE INDEX rows_by_name ON rows (name)",
    "CREATE INDEX rows_by_bundle ON rows (bundle_sha256)",
)
_VERDICTS = NAMES.index("verdicts")
_PUT = f"INSERT OR REPLACE INTO rows VALUES ({', '.join('?' * (4 + len(NAMES)))})"

#: Parts of a measurement that are long and of which a row holds nothing.
_BULKY = ("samples", "starts", "phase_medians", "conditions")
_LIGHT = "json_remove(measurement, {})".format(", ".join(f"'$.{name}'" for name in _BULKY))
#: As bytes: one that is no valid text costs its own row alone.
_TEXTS = (
    "devices.name", "jobs.name", "cases.name", "cases.bundle_sha256", "cases.measured_at",
    f"CASE WHEN json_valid(measurement) THEN {_LIGHT} END",
)  # fmt: skip
_CASES = f"""
    SELECT cases.id, {", ".join(f"CAST({text} AS BLOB)" for text in _TEXTS)}
    FROM cases JOIN jobs ON jobs.id = cases.job JOIN devices ON devices.id = jobs.device
"""
_BRIEF = """
    SELECT json_extract(manifest, '$.precision'), json_extract(manifest, '$.provenance.model'),
        json_extract(manifest, '$.provenance.revision'),
        json_extract(manifest, '$.provenance.recipe.corpus.evaluate'),
        json_extract(manifest, '$.provenance.recipe.corpus.split')
    FROM bundles WHERE sha256 = ? AND json_valid(manifest)
"""


def is_current(sql: sqlite3.Connection) -> bool:
    found = sql.execute("SELECT sql FROM sqlite_schema WHERE name = 'rows'").fetchone()
    return bool(found and found[0] == STATEMENT)


def create(sql: sqlite3.Connection) -> None:
    """Empty, in place of one that is there; `index` it when it is filled."""
    sql.execute("DROP TABLE IF EXISTS rows")
    sql.execute(STATEMENT)


def index(sql: sqlite3.Connection) -> None:
    for statement in _INDEXES:
        sql.execute(statement)


def make_anew(sql: sqlite3.Connection, progress: Progress) -> None:
    """Of every case, within a transaction; the memory does not grow with them."""
    create(sql)
    (count,) = sql.execute("SELECT count(*) FROM cases").fetchone()
    found = _rows_of_cases(sql, f"{_CASES} ORDER BY cases.id", ())
    for done, (case, row, folder) in enumerate(found):
        put(sql, case, row, folder)
        if done % _STEP == 0:
            progress(done, count)
    index(sql)
    progress(count, count)


def add_case(sql: sqlite3.Connection, case: int, found: Measurement, device: str) -> None:
    named = replace(found, environment={**found.environment, "device": device})
    [row] = rows_from([named], _briefs(sql, found.bundle_sha256))
    put(sql, case, row, found.bundle)


def add_bundle(sql: sqlite3.Connection, sha256: str) -> None:
    """What its manifest says is from now on in the rows of it."""
    where = f'{_CASES} JOIN rows ON rows."case" = cases.id WHERE rows.bundle_sha256 = ?'
    for case, row, folder in list(_rows_of_cases(sql, where, (sha256,))):
        put(sql, case, row, folder)


def put(sql: sqlite3.Connection, case: int, row: Row, folder: str) -> None:
    values = [getattr(row, name) for name in NAMES]
    values[_VERDICTS] = " ".join(row.verdicts)
    identity, says = json.dumps(row.identity), row.rank[0]
    sql.execute(_PUT, (case, identity, says, folder, *values))


@dataclass(frozen=True)
class _Brief:
    """Of a manifest, what a row takes."""

    precision: str
    provenance: Mapping[str, Any]

    @property
    def model(self) -> str:
        return model_in(self.provenance)


def _briefs(sql: sqlite3.Connection, sha256: str | None) -> dict[str, _Brief]:
    """Of the one manifest, if the store has it, by its hash."""
    for facts in sql.execute(_BRIEF, (sha256,)):
        precision, model, revision, evaluate, split = (
            fact if isinstance(fact, str) else None for fact in facts
        )
        recipe = {"corpus": {"evaluate": evaluate, "split": split}}
        about = {"model": model, "revision": revision, "recipe": recipe}
        return {sha256 or "": _Brief(precision or "", about)}
    return {}


def _rows_of_cases(
    sql: sqlite3.Connection, question: str, words: tuple[str, ...]
) -> Iterator[tuple[int, Row, str]]:
    """What cannot be read is a row that says so."""
    known: dict[str, dict[str, _Brief]] = {}
    for case, *texts in sql.execute(question, words):
        device, job, name, sha256, measured_at = (
            (text or b"").decode(errors="replace") for text in texts[:-1]
        )
        try:
            found = Measurement.from_json((texts[-1] or b"").decode())
        except ValueError:
            told = (name or "", device or "", job or "", sha256, measured_at or "")
            yield case, unreadable(*told), ""
            continue
        named = replace(found, environment={**found.environment, "device": device})
        if sha256 not in known:
            known[sha256] = _briefs(sql, sha256)
        yield case, rows_from([named], known[sha256])[0], found.bundle


def unreadable(name: str, device: str, job: str, sha256: str, measured_at: str) -> Row:
    problem = "What the store keeps of it cannot be read: import its journal anew."
    bare = Row(name, device=device, problem=problem, job=job, measured_at=measured_at)
    return replace(bare, bundle_sha256=sha256 or None)


class Reader:
    """From the values of some columns to rows; `columns` are to be asked for in this order.

    Of values that no row can have it is one that says so, as others may have written the file.
    Texts that many rows share are kept once.
    """

    def __init__(self, names: Sequence[str]):
        self.columns = ", ".join(f'rows."{name}"' for name in names)
        self._names = names
        self._allowed = [_KINDS[_HINTS[name]][1] for name in names]
        self._known: dict[tuple[type, ...], bool] = {}
        self._numbers = [at for at, kinds in enumerate(self._allowed) if float in kinds]
        self._texts = [at for at, kinds in enumerate(self._allowed) if str in kinds]
        self._verdicts = names.index("verdicts")
        self._sustained = names.index("sustained") if "sustained" in names else None
        self._make = _make_row if tuple(names) == NAMES else _part(names)

    def row(self, values: Sequence[Any]) -> Row:
        """Of some columns alone a tuple with the names of Row, which is made in a fraction of the
        time, for whoever reads no other."""
        if not self._are_sound(values):
            return _damaged(dict(zip(self._names, values, strict=True)))
        found = list(values)
        for at in self._texts:
            if found[at]:
                found[at] = intern(found[at])
        found[self._verdicts] = _split(found[self._verdicts])
        if self._sustained is not None:
            found[self._sustained] = bool(found[self._sustained])
        return self._make(found)

    def _are_sound(self, values: Sequence[Any]) -> bool:
        kinds = tuple(map(type, values))
        if kinds not in self._known:
            pairs = zip(kinds, self._allowed, strict=True)
            self._known[kinds] = all(kind in allowed for kind, allowed in pairs)
        if not self._known[kinds]:
            return False
        numbers = [value for at in self._numbers if (value := values[at]) is not None]
        return not numbers or (min(numbers) >= 0 and sum(numbers) < math.inf)


def _make_row(values: Sequence[Any]) -> Row:
    return Row(*values)


def _part(names: Sequence[str]) -> Callable[[Sequence[Any]], Row]:
    make: Any = namedtuple  # which wants its names as a literal
    made: Callable[[Sequence[Any]], Row] = make("PartOfRow", names)._make
    return made


@lru_cache(1024)
def _split(verdicts: str) -> tuple[str, ...]:
    return tuple(map(intern, verdicts.split()))


def _damaged(values: Mapping[str, Any]) -> Row:
    name, device, job, sha256, measured_at = (
        value if isinstance(value := values.get(key), str) else ""
        for key in ("name", "device", "job", "bundle_sha256", "measured_at")
    )
    return unreadable(name, device, job, sha256, measured_at)


WHOLE = Reader(NAMES)
