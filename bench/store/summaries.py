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

from bench.agent.latency import Latency
from bench.agent.measurement import Measurement, Stretch, Variant
from bench.agent.memory import MemoryReading
from bench.rows import Row, rows_from
from bench.store import folding
from bench.store.connection import PATIENCE, opened
from bench.store.store import Store
from runtime.bundle import Manifest, model_in
from speech.errors import BadInput

_BULKY = ("samples", "transcripts", "starts", "phase_medians", "conditions")
_LIGHT = "json_remove(measurement, {})".format(", ".join(f"'$.{name}'" for name in _BULKY))
_SUMMARY = f"""
    SELECT cases.id, devices.name, jobs.name, cases.name, cases.bundle_sha256, cases.measured_at,
        CASE WHEN json_valid(measurement) THEN {_LIGHT} END,
        json_extract(manifest, '$.precision'), json_extract(manifest, '$.provenance.model'),
        json_extract(manifest, '$.provenance.revision'),
        json_extract(manifest, '$.provenance.recipe.corpus.evaluate'),
        json_extract(manifest, '$.provenance.recipe.corpus.split')
    FROM json_each(?) AS wanted CROSS JOIN cases ON cases.id = wanted.value
        JOIN jobs ON jobs.id = cases.job JOIN devices ON devices.id = jobs.device
        LEFT JOIN bundles ON bundles.sha256 = cases.bundle_sha256
    ORDER BY wanted.key
"""
#: Ids first and what they are of afterwards: so the first rows are there before the last are read.
_NUMBERS = """
    SELECT cases.id FROM cases JOIN jobs ON jobs.id = cases.job
        JOIN devices ON devices.id = jobs.device {where} ORDER BY cases.id
"""


@dataclass(frozen=True)
class Summary:
    """A case's row in the comparison; `number` is what to ask for the rest by."""

    number: int
    row: Row
    is_sustained: bool = False  # one long run to see what heat does, which is another thing

    @property
    def identity(self) -> tuple[object, ...]:
        """Of one bundle in the same settings on the same device, timed on the same clips, only the
        newest is compared."""
        row = self.row
        bundle = row.bundle_sha256 or row.name
        speech = (row.timed_corpus, row.timed_clips)
        return (row.device, bundle, row.threads, row.settings, *speech, self.is_sustained)

    @property
    def rank(self) -> tuple[bool, str]:
        """One that was not finished says less than an older one that was."""
        return bool(self.row.samples or self.row.problem), self.row.measured_at


@dataclass(frozen=True)
class Owner:
    """A device with results in the store; facts are those of its newest measurement."""

    name: str
    cases: int
    facts: dict[str, Any]


class Summaries:
    """Use `Summaries.at(path)` as a context; nothing is changed by looking."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path = path
        self._sql = connection

    @classmethod
    @contextmanager
    def at(cls, path: Path, *, patience: float = PATIENCE) -> Iterator[Self]:
        """BadInput for a store that is not there: looking makes none."""
        if not path.exists():
            raise BadInput(f"There is no store {path}: `secateur results --import` makes one.")
        with opened(path, patience=patience) as connection:
            yield cls(path, connection)

    def fold_anew(self) -> None:
        """What an older version folded; without that nothing is written."""
        stale = "SELECT 1 FROM jobs WHERE fold <> ? LIMIT 1"
        if self._sql.execute(stale, (folding.FOLD,)).fetchone():
            with Store.at(self.path) as store:
                store.measurements()

    def owners(self) -> list[Owner]:
        """Those whose results came in last are the first."""
        found = self._sql.execute(
            "SELECT devices.name, sum(cases), max(last) FROM"
            " (SELECT job, count(*) AS cases, max(id) AS last FROM cases GROUP BY job) AS counted"
            " JOIN jobs ON jobs.id = counted.job JOIN devices ON devices.id = jobs.device"
            " GROUP BY devices.id ORDER BY 3 DESC"
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

    def of(self, device: str, *, first: int, later: int) -> Iterator[list[Summary]]:
        """In the order of import and in batches, the first of which may be smaller."""
        yield from self._batches("WHERE devices.name = ?", (device,), first, later)

    def named(self, name: str) -> list[Summary]:
        """Every case of bundles of this name, whatever became of them since, on any device."""
        where = "WHERE cases.name = ? OR substr(cases.name, 1, ?) = ?"
        words = (name, len(name) + 1, f"{name}/")
        return [one for batch in self._batches(where, words, 500, 500) for one in batch]

    def whole(self, number: int) -> Measurement:
        """With every sample."""
        found = self._sql.execute(
            "SELECT devices.name, measurement FROM cases JOIN jobs ON jobs.id = cases.job"
            " JOIN devices ON devices.id = jobs.device WHERE cases.id = ?",
            (number,),
        ).fetchone()
        if not found:
            raise BadInput(f"{self.path}: this result is there no more; look at the others anew.")
        device, text = found
        try:
            measurement = Measurement.from_json(text)
        except ValueError as problem:
            raise BadInput(f"{self.path}, case {number} of {device}: {problem}.") from problem
        named = {**measurement.environment, "device": device}
        return replace(measurement, environment=named)

    def manifest(self, sha256: str | None) -> Manifest | None:
        """None for a bundle that the store has not seen, or that this version cannot read."""
        found = self._sql.execute("SELECT manifest FROM bundles WHERE sha256 = ?", (sha256,))
        for (text,) in found:
            with suppress(BadInput, ValueError):
                return Manifest.from_json(json.loads(text), f"{self.path}, bundle {sha256}")
        return None

    def folders(self, sha256: str | None) -> list[Path]:
        """Where a bundle lay on this machine; another one may lie there by now."""
        found = self._sql.execute("SELECT folder FROM places WHERE sha256 = ?", (sha256,))
        return [Path(folder) for (folder,) in found]

    def _batches(
        self, where: str, words: Sequence[object], first: int, later: int
    ) -> Iterator[list[Summary]]:
        numbers = [number for (number,) in self._sql.execute(_NUMBERS.format(where=where), words)]
        ends = [first, *range(first + later, len(numbers) + later, later)]
        for start, end in zip([0, *ends], ends, strict=False):
            wanted = json.dumps(numbers[start:end])
            yield [_summary(*fields) for fields in self._sql.execute(_SUMMARY, (wanted,))]


@dataclass(frozen=True)
class _Brief:
    """Of a manifest, what a row takes."""

    precision: str
    provenance: dict[str, Any]

    @property
    def model(self) -> str:
        return model_in(self.provenance)


def _summary(
    number: int,
    device: str,
    job: str,
    case: str,
    sha256: str | None,
    measured_at: str,
    text: str | None,
    precision: str | None,
    model: str | None,
    revision: str | None,
    evaluate: str | None,
    split: str | None,
) -> Summary:
    try:
        found = _light(json.loads(text), device) if text is not None else None
    except (ValueError, TypeError, AttributeError):
        found = None
    if found is None:
        problem = "What the store keeps of it cannot be read: import its journal anew."
        bare = Row(case, device=device, problem=problem, job=job, measured_at=measured_at)
        return Summary(number, replace(bare, bundle_sha256=sha256))
    recipe = {"corpus": {"evaluate": evaluate, "split": split}}
    about = {"model": model, "revision": revision, "recipe": recipe}
    known = {sha256 or "": _Brief(precision, about)} if precision else {}
    [row] = rows_from([found], known)
    return Summary(number, row, bool(found.sustained))


def _light(table: dict[str, Any], device: str) -> Measurement:
    """Its parts were checked when they came into the store, so they are only put together."""
    for name, kind in (("variant", Variant), ("latency", Latency)):
        if table.get(name) is not None:
            table[name] = kind(**table[name])
    memory = table.get("memory") or {}
    table["memory"] = {stage: MemoryReading(**reading) for stage, reading in memory.items()}
    table["sustained"] = tuple(Stretch(**part) for part in table.get("sustained") or ())
    for name in ("verdicts", "loaded_forbidden"):
        table[name] = tuple(table.get(name) or ())
    table["environment"] = {**(table.get("environment") or {}), "device": device}
    return Measurement(**table)
