"""What a comparison shows of many measurements, read without their samples and transcripts.

The store keeps a measurement as one JSON text of which samples are by far the most; whoever wants
them of one case asks for that case.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from bench.agent.measurement import Measurement
from bench.rows import Row
from bench.store import folding
from bench.store.connection import PATIENCE, no_progress, opened
from bench.store.row_table import WHOLE, Progress, Reader
from bench.store.store import Store
from runtime.bundle import Manifest
from speech.errors import BadInput

_NEWEST = """NOT EXISTS (
    SELECT 1 FROM rows AS other WHERE other.identity = rows.identity AND
        (other.says, other.measured_at, other."case") > (rows.says, rows.measured_at, rows."case")
)"""


@dataclass(frozen=True)
class Summary:
    """A case's row in the comparison; `number` is what to ask for the rest by."""

    number: int
    row: Row
    folder: str = ""  # where its bundle lay when it was measured


@dataclass(frozen=True)
class Filter:
    """Rows that have one of the wanted values each; an empty choice is for all of them."""

    devices: Sequence[str] = ()
    families: Sequence[str] = ()
    methods: Sequence[str] = ()
    #: Of one bundle in the same settings on the same device, see Row.identity.
    newest: bool = True

    @property
    def choices(self) -> dict[str, Sequence[str]]:
        """By column."""
        return {"device": self.devices, "family": self.families, "method": self.methods}

    def condition(self) -> tuple[str, list[str]]:
        """In SQL, and the values of its question marks."""
        chosen = {name: wanted for name, wanted in self.choices.items() if wanted}
        parts = [f"{name} IN ({', '.join('?' * len(wanted))})" for name, wanted in chosen.items()]
        parts += [_NEWEST] if self.newest else []
        return " AND ".join(parts) or "1", [value for wanted in chosen.values() for value in wanted]


class Rows:
    """Questions to the table `rows` of any database."""

    def __init__(self, sql: sqlite3.Connection):
        self._sql = sql

    def is_empty(self) -> bool:
        return self._sql.execute("SELECT 1 FROM rows LIMIT 1").fetchone() is None

    def check(self, chosen: Filter) -> None:
        """BadInput for a value that nothing has."""
        for name, wanted in chosen.choices.items():
            for value in wanted:
                found = self._sql.execute(f"SELECT 1 FROM rows WHERE {name} = ?", (value,))
                if not found.fetchone():
                    every = self._sql.execute(f"SELECT DISTINCT {name} FROM rows ORDER BY 1")
                    there = ", ".join(one for (one,) in every if one) or "none that is named"
                    raise BadInput(
                        f"No measurement is of the {name} {value!r}; there are: {there}."
                    )

    def count(self, chosen: Filter) -> int:
        where, words = chosen.condition()
        (count,) = self._sql.execute(f"SELECT count(*) FROM rows WHERE {where}", words).fetchone()
        return int(count)

    def devices(self, chosen: Filter) -> list[str]:
        """That have such rows, in the order of import."""
        where, words = replace(chosen, newest=False).condition()  # of some row it is the newest
        found = self._sql.execute(
            f'SELECT device FROM rows WHERE {where} GROUP BY device ORDER BY min("case")', words
        )
        return [device for (device,) in found]

    def chosen(
        self, chosen: Filter, *, last: int | None = None, reader: Reader = WHOLE
    ) -> Iterator[Summary]:
        """In the order of import; with `last` only so many of the end."""
        where, words = chosen.condition()
        if last is not None:
            where = (
                f'rows."case" IN (SELECT rows."case" FROM rows WHERE {where}'
                f' ORDER BY rows."case" DESC LIMIT {last})'
            )
        return self._summaries(where, words, reader)

    def _summaries(
        self, where: str, words: Sequence[object], reader: Reader = WHOLE
    ) -> Iterator[Summary]:
        found = self._sql.execute(
            f'SELECT rows."case", folder, {reader.columns} FROM rows WHERE {where}'
            ' ORDER BY rows."case"',
            words,
        )
        for number, folder, *values in found:
            yield Summary(number, reader.row(values), folder)


@dataclass(frozen=True)
class Owner:
    """A device with results in the store; facts are those of its newest measurement."""

    name: str
    cases: int
    facts: dict[str, Any]


class Summaries(Rows):
    """Those of a store. Use `Summaries.at(path)` as a context; nothing is changed by looking."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        super().__init__(connection)
        self.path = path

    @classmethod
    @contextmanager
    def at(
        cls, path: Path, *, patience: float = PATIENCE, progress: Progress = no_progress
    ) -> Iterator[Self]:
        """BadInput for a store that is not there: looking makes none."""
        if not path.exists():
            raise BadInput(f"There is no store {path}: `secateur results --import` makes one.")
        with opened(path, patience=patience, progress=progress) as connection:
            yield cls(path, connection)

    def fold_anew(self, progress: Progress = no_progress) -> list[str]:
        """What an older version folded; without that nothing is written.

        Gives a sentence on whatever of it had to be left out.
        """
        stale = "SELECT 1 FROM jobs WHERE text IS NOT NULL AND fold <> ? LIMIT 1"
        if self._sql.execute(stale, (folding.FOLD,)).fetchone():
            with Store.at(self.path) as store:
                store.fold_anew(progress)
                return store.problems
        return []

    def owners(self) -> list[Owner]:
        """Those whose results came in last are the first."""
        found = self._sql.execute(
            'SELECT device, count(*), max("case") FROM rows GROUP BY device ORDER BY 3 DESC'
        ).fetchall()
        return [Owner(name, cases, self._facts(last)) for name, cases, last in found]

    def _facts(self, case: int) -> dict[str, Any]:
        (text,) = self._sql.execute(
            "SELECT CASE WHEN json_valid(measurement)"
            " THEN json_extract(measurement, '$.environment') END FROM cases WHERE id = ?",
            (case,),
        ).fetchone()
        facts = json.loads(text) if text else {}
        return facts if isinstance(facts, dict) else {}

    def named(self, name: str) -> list[Summary]:
        """Every case of bundles of this name, whatever became of them since, on any device."""
        cases = "name = ? OR (name >= ? AND name < ?)"  # as of an unreadable one: NAME/SETTINGS
        return list(self._summaries(cases, (name, f"{name}/", f"{name}0")))

    def whole(self, number: int) -> Measurement:
        """With every sample."""
        found = self._sql.execute(
            "SELECT devices.name, jobs.name, cases.name, CAST(measurement AS BLOB) FROM cases"
            " JOIN jobs ON jobs.id = cases.job JOIN devices ON devices.id = jobs.device"
            " WHERE cases.id = ?",
            (number,),
        ).fetchone()
        if not found:
            raise BadInput(f"{self.path}: this result is there no more; look at the others anew.")
        device, job, case, text = found
        try:
            measurement = Measurement.from_json(text.decode())
        except ValueError as problem:
            raise BadInput(
                f"{self.path}, job {job} of {device}, case {case}: {problem}; import its journal "
                "anew."
            ) from problem
        named = {**measurement.environment, "device": device}
        return replace(measurement, environment=named)

    def manifest(self, sha256: str | None) -> Manifest | None:
        """None for a bundle that the store has not seen, or that this version cannot read."""
        found = self._sql.execute("SELECT manifest FROM bundles WHERE sha256 = ?", (sha256,))
        for (text,) in found:
            with suppress(BadInput, ValueError):
                return Manifest.from_json(json.loads(text), f"{self.path}, bundle {sha256}")
        return None

    def recipes(self) -> set[str]:
        """Names of those that made the bundles of these rows."""
        found = self._sql.execute(
            "SELECT DISTINCT json_extract(manifest, '$.provenance.recipe.name') FROM bundles"
            " WHERE json_valid(manifest) AND sha256 IN (SELECT bundle_sha256 FROM rows)"
        )
        return {name for (name,) in found if isinstance(name, str)}

    def folders(self, sha256: str | None) -> list[Path]:
        """Where a bundle lay on this machine; another one may lie there by now."""
        found = self._sql.execute("SELECT folder FROM places WHERE sha256 = ?", (sha256,))
        return [Path(folder) for (folder,) in found]
