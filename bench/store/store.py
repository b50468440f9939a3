"""The store: journals in, measurements out. Importing something twice changes nothing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from bench.agent.job import JOB_FILE, job_from
from bench.agent.measurement import Measurement
from bench.reachable import reachable_bundles
from bench.remote.devices import THIS
from bench.remote.journal_copy import data_folder
from bench.store import folding, row_table
from bench.store.connection import PATIENCE, no_progress, opened, transaction
from bench.store.journal_lines import JobFolder, Line, read_job_folder, read_lines
from bench.store.row_table import Progress
from runtime.bundle import MANIFEST, Bundle, Manifest
from speech.errors import BadInput
from speech.lines import RawLine, first_few
from speech.parsed import json_from


def default_place() -> Path:
    """Where SECATEUR_STORE says, else beside what devices sent."""
    named = os.environ.get("SECATEUR_STORE")
    return Path(named) if named else data_folder() / "results.sqlite"


class Store:
    """Use `Store.at(path)` as a context."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path = path
        self.problems: list[str] = []  # a sentence on whatever had to be left out so far
        self._sql = connection

    @classmethod
    @contextmanager
    def at(
        cls, path: Path, *, patience: float = PATIENCE, progress: Progress = no_progress
    ) -> Iterator[Self]:
        """Made if it is not there; `patience` is in seconds."""
        with opened(path, patience=patience, progress=progress) as connection:
            yield cls(path, connection)

    def add_folder(self, folder: Path, device: str) -> int:
        """Import a job's folder: job.json and journal.jsonl. Gives how many lines were new.

        The bundles that lie on this machine, as measured, are looked at, too.
        """
        found = read_job_folder(folder)
        self.problems += found.problems
        added = self.add_job(found, device)
        if added:
            self.add_bundles((case.bundle, case.bundle_sha256) for case in found.job.cases)
        return added

    def has_all_of(self, journal: Path, device: str, job: str) -> bool:
        """Whether nothing was written to a journal since it was imported, by its size."""
        found = self._sql.execute(
            "SELECT jobs.id, bytes FROM jobs JOIN devices ON devices.id = jobs.device"
            " WHERE devices.name = ? AND jobs.name = ?",
            (device, job),
        ).fetchone()
        if not found:
            return False
        row, size = found
        if size is None:
            size = self._keep_size(row)
        return bool(size == journal.stat().st_size)

    def _keep_size(self, row: int) -> int:
        """The bytes of a job's journal; they are counted once, as a journal may be long."""
        (size,) = self._sql.execute(
            "SELECT coalesce(sum(length(CAST(text AS BLOB)) + 1), 0) FROM lines"
            " WHERE job = ? AND current",
            (row,),
        ).fetchone()
        self._sql.execute("UPDATE jobs SET bytes = ? WHERE id = ?", (size, row))
        return int(size)

    def add_job(self, found: JobFolder, device: str) -> int:
        """A journal that was imported half and has grown since adds only what is new.

        A device may lose the end of its journal in a power cut, and go on from there: then its
        lines take the place of those that were imported before, which are kept but count no more.
        """
        with transaction(self._sql):
            row = self._job_row(device, found.job.id, found.job.to_json())
            known = self._hashes(row)
            here = [line.sha256 for line in found.lines]
            if known and known[: len(here)] == here:
                return 0
            shared = next(
                (n for n, pair in enumerate(zip(known, here, strict=False)) if pair[0] != pair[1]),
                min(len(known), len(here)),
            )
            last = found.lines[shared - 1].number if shared else 0
            self._replace_from(row, found.lines[shared:], last)
            numbered = [(line.number, line.stamped) for line in found.lines]
            folding.fold_job(self._sql, row, found.job, numbered)
            self._keep_size(row)
        return len(here) - shared

    def add_results(self, measurements: Iterable[Measurement], device: str) -> int:
        """Import a results file's lines; `device` is of those that name none, or `this`.

        Gives how many were new. What a journal is here of stays as the journal has it.
        """
        with transaction(self._sql):
            return sum([self._add_result(found, device) for found in measurements])

    def add_bundles(self, places: Iterable[tuple[Path, str | None]]) -> None:
        """Those that lie on this machine as they were measured, by folder and hash."""
        for sha256, bundle in reachable_bundles(places).items():
            self.add_bundle(bundle)
            with transaction(self._sql):
                place = (sha256, str(bundle.folder.resolve()))
                self._sql.execute("INSERT OR IGNORE INTO places VALUES (?, ?)", place)

    def add_bundle(self, bundle: Bundle) -> None:
        """Its manifest, for what results do not say: the zeros of each layer, the precision."""
        text = (bundle.folder / MANIFEST).read_text(encoding="utf-8")
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        with transaction(self._sql):
            added = self._sql.execute("INSERT OR IGNORE INTO bundles VALUES (?, ?)", (sha256, text))
            if added.rowcount:
                row_table.add_bundle(self._sql, sha256)

    def places(self) -> list[tuple[Path, str]]:
        """Where bundles lay, with their hashes; another one may lie there by now."""
        rows = self._sql.execute("SELECT folder, sha256 FROM places ORDER BY folder")
        return [(Path(folder), sha256) for folder, sha256 in rows]

    def manifests(self) -> dict[str, Manifest]:
        """Of bundles that need not be here any more, by hash.

        Those that this version cannot read are left out.
        """
        found = {}
        for sha256, text in self._sql.execute("SELECT * FROM bundles"):
            with suppress(BadInput, ValueError):
                where = f"{self.path}, bundle {sha256}"
                found[sha256] = Manifest.from_json(json_from(text), where)
        return found

    def measurements(self) -> list[Measurement]:
        """Every case, in the order of import, with the device's name in its environment."""
        self.fold_anew()
        rows = self._sql.execute(
            "SELECT devices.name, jobs.name, cases.name, CAST(measurement AS BLOB) FROM cases"
            " JOIN jobs ON jobs.id = cases.job JOIN devices ON devices.id = jobs.device"
            " ORDER BY jobs.id, cases.place"
        )
        good, wrong = [], []
        for device, job, case, text in rows:
            try:
                found = Measurement.from_json(text.decode())
            except ValueError as problem:
                where = f"{self.path}, job {job} of {device}, case {case}"
                wrong.append(f"{where}: {problem}; it is left out, import its journal anew.")
            else:
                good.append(replace(found, environment={**found.environment, "device": device}))
        self.problems += first_few(wrong, str(self.path), "cases")
        return good

    def fold_anew(self, progress: Progress = no_progress) -> None:
        """What an older version folded, a job at a time; the lines are all here."""
        stale = "SELECT id FROM jobs WHERE text IS NOT NULL AND fold <> ?"
        if not self._sql.execute(stale, (folding.FOLD,)).fetchone():
            return
        with transaction(self._sql):
            rows = self._sql.execute(stale, (folding.FOLD,)).fetchall()
            for done, (row,) in enumerate(rows):
                progress(done, len(rows))
                text, name = self._sql.execute(
                    "SELECT text, name FROM jobs WHERE id = ?", (row,)
                ).fetchone()
                where = f"{self.path}, job {name}"
                try:
                    job = job_from(json_from(text), f"{where}, {JOB_FILE}")
                    lines, problems = read_lines(job, self._lines(row), where)
                except (BadInput, ValueError) as problem:
                    self.problems.append(f"{str(problem).rstrip('.')}; what was made of it stays.")
                    continue
                self.problems += problems
                numbered = [(line.number, line.stamped) for line in lines]
                folding.fold_job(self._sql, row, job, numbered)
            progress(len(rows), len(rows))

    def _lines(self, row: int) -> Iterator[RawLine]:
        lines = self._sql.execute(
            "SELECT number, CAST(text AS BLOB) FROM lines WHERE job = ? AND current"
            " ORDER BY number",
            (row,),
        )
        return (RawLine(number, data) for number, data in lines)

    def _hashes(self, row: int) -> list[str]:
        lines = self._sql.execute(
            "SELECT sha256 FROM lines WHERE job = ? AND current ORDER BY number", (row,)
        )
        return [sha256 for (sha256,) in lines]

    def _replace_from(self, row: int, lines: Sequence[Line], last: int) -> None:
        """`last` is the number of the last line that stays."""
        self._sql.execute("UPDATE lines SET current = 0 WHERE job = ? AND number > ?", (row, last))
        self._sql.executemany(
            "INSERT OR REPLACE INTO lines VALUES (?, ?, ?, 1, ?)",
            ((row, line.number, line.sha256, line.text) for line in lines),
        )

    def _job_row(self, device: str, name: str, text: str | None) -> int:
        self._sql.execute("INSERT OR IGNORE INTO devices (name) VALUES (?)", (device,))
        (owner,) = self._sql.execute("SELECT id FROM devices WHERE name = ?", (device,)).fetchone()
        self._sql.execute(
            "INSERT INTO jobs (device, name, text) VALUES (?, ?, ?) ON CONFLICT (device, name)"
            " DO UPDATE SET text = coalesce(excluded.text, text)",
            (owner, name, text),
        )
        found = self._sql.execute(
            "SELECT id FROM jobs WHERE device = ? AND name = ?", (owner, name)
        ).fetchone()
        return int(found[0])

    def _add_result(self, found: Measurement, device: str) -> bool:
        """Later looks at the same job have more samples of it and take the earlier ones' place."""
        line = hashlib.sha256(found.to_json().encode()).hexdigest()
        named = found.environment.get("device") or THIS
        owner = device if named == THIS else str(named)
        row = self._job_row(owner, found.job or f"line-{line[:16]}", None)
        if self._hashes(row):
            return False
        case = (row, found.case or found.name)
        there = self._sql.execute(
            "SELECT id, measurement FROM cases WHERE job = ? AND name = ?", case
        ).fetchone()
        if there:
            if _count(there[1]) >= len(found.samples):
                return False
            self._sql.execute("DELETE FROM cases WHERE id = ?", (there[0],))
        (place,) = self._sql.execute("SELECT count(*) FROM cases WHERE job = ?", (row,)).fetchone()
        folding.add_case(self._sql, row, place, found, owner)
        return True


def _count(measurement: str) -> int:
    """Of its samples; -1 where the store's row is damaged, so that anything takes its place."""
    try:
        return len(Measurement.from_json(measurement).samples)
    except ValueError:
        return -1
