"""Where measurements are looked up: stores and results files, and the bundles they are of.

What is asked for is chosen by its rows; whole measurements are read one after another, and only
where somebody needs their samples.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.reachable import bundles_in, reachable_bundles
from bench.results import result_at, results_in
from bench.rows import rows_from
from bench.store import row_table
from bench.store.connection import is_store, no_progress
from bench.store.row_table import WHOLE, Progress, Reader
from bench.store.summaries import Filter, Rows, Summaries, Summary
from runtime.bundle import Bundle, Manifest
from speech.errors import BadInput
from speech.lines import first_few
from speech.readable import refuse_unreachable

STORE_SUFFIX = ".sqlite"

EVERYTHING = Filter(newest=False)


@dataclass(frozen=True)
class Findings:
    """Measurements, and their bundles as far as they are at hand, by hash."""

    measurements: list[Measurement]
    bundles: Mapping[str, Bundle]
    manifests: Mapping[str, Manifest]  # also of bundles that only the store remembers
    #: How many bundles were measured besides, of which none is at hand.
    elsewhere: int = 0
    problems: Sequence[str] = ()  # a sentence on each thing that had to be left out


def read_sources(paths: Iterable[Path], folders: Iterable[Path] = ()) -> Findings:
    """All of stores and results files, in the order given; `folders` hold bundles."""
    with open_selection(list(paths), folders) as selection:
        return selection.findings(one.number for one in selection.rows())


def at_hand(path: Path) -> Findings:
    """The newest measurements of bundles that lie on this machine."""
    with open_selection([path], chosen=Filter()) as selection:
        return selection.at_hand()


@contextmanager
def open_selection(
    paths: Sequence[Path],
    folders: Iterable[Path] = (),
    chosen: Filter = EVERYTHING,
    progress: Progress = no_progress,
) -> Iterator[Selection]:
    """Of stores and results files, in the order given; `folders` hold bundles.

    `progress` is as for a store.
    """
    here = _AtHand({key: found for folder in folders for key, found in bundles_in(folder).items()})
    with ExitStack() as stack:
        problems: list[str] = []
        stores = {
            path: stack.enter_context(_store(path, progress, problems))
            for path in paths
            if _is_store(path)
        }
        rows: Summaries | _Gathered
        if len(paths) == 1 and stores:
            [rows] = stores.values()
        else:
            rows = stack.enter_context(_Gathered.at(paths, stores, here, problems))
        yield Selection(rows, chosen, here, problems)


def _is_store(path: Path) -> bool:
    return is_store(path) or path.suffix == STORE_SUFFIX


@contextmanager
def _store(path: Path, progress: Progress, problems: list[str]) -> Iterator[Summaries]:
    refuse_unreachable(path)
    with Summaries.at(path, progress=progress) as store:
        problems += store.fold_anew(progress)
        yield store


class _AtHand:
    """Bundles that lie on this machine, each looked for once."""

    def __init__(self, given: Mapping[str, Bundle]):
        self._given = given
        self._looked_for: dict[tuple[str, str], Bundle | None] = {}
        self._parents: dict[str, bool] = {}

    def find(self, sha256: str | None, folder: str) -> Bundle | None:
        if not sha256:
            return None
        key = (sha256, folder)
        if key not in self._looked_for:
            places = [(Path(folder), sha256)] if self._may_be(folder) else []
            here = {**reachable_bundles(places), **self._given}
            self._looked_for[key] = here.get(sha256)
        return self._looked_for[key]

    def found(self) -> list[Bundle]:
        return [bundle for bundle in self._looked_for.values() if bundle]

    def _may_be(self, folder: str) -> bool:
        """Bundles lie side by side: where no such place is, none of thousands is looked for."""
        parent = folder.rpartition("/")[0]
        if parent not in self._parents:
            self._parents[parent] = True
            with suppress(OSError):
                self._parents[parent] = Path(folder).parent.is_dir()
        return self._parents[parent]


class _Gathered(Rows):
    """Rows of several sources in a database of this process alone, which SQLite keeps on disk."""

    def __init__(
        self, sql: sqlite3.Connection, paths: Sequence[Path], stores: Mapping[Path, Summaries]
    ):
        super().__init__(sql)
        self._paths = paths
        self._stores = stores

    @classmethod
    @contextmanager
    def at(
        cls,
        paths: Sequence[Path],
        stores: Mapping[Path, Summaries],
        here: _AtHand,
        problems: list[str],
    ) -> Iterator[_Gathered]:
        with closing(sqlite3.connect("", isolation_level=None)) as sql:
            sql.execute("BEGIN")
            row_table.create(sql)
            sql.execute("CREATE TABLE origins (number INTEGER PRIMARY KEY, source, place)")
            found = cls(sql, paths, stores)
            for source, path in enumerate(paths):
                if path in stores:
                    found._add(source, stores[path].chosen(EVERYTHING))
                else:
                    found._add(source, _filed(path, here, problems))
            row_table.index(sql)
            sql.execute("COMMIT")
            yield found

    def _add(self, source: int, summaries: Iterable[Summary]) -> None:
        for one in summaries:
            origin = (source, one.number)
            done = self._sql.execute("INSERT INTO origins (source, place) VALUES (?, ?)", origin)
            row_table.put(self._sql, done.lastrowid or 0, one.row, one.folder)

    def whole(self, number: int) -> Measurement:
        source, place = self._sql.execute(
            "SELECT source, place FROM origins WHERE number = ?", (number,)
        ).fetchone()
        path = self._paths[source]
        return self._stores[path].whole(place) if path in self._stores else result_at(path, place)

    def manifest(self, sha256: str | None) -> Manifest | None:
        found = (store.manifest(sha256) for store in self._stores.values())
        return next(filter(None, found), None)

    def folders(self, sha256: str | None) -> list[Path]:
        return [place for store in self._stores.values() for place in store.folders(sha256)]

    def recipes(self) -> set[str]:
        return {name for store in self._stores.values() for name in store.recipes()}


def _filed(path: Path, here: _AtHand, problems: list[str]) -> Iterator[Summary]:
    """Of a results file, numbered by the byte at which each line begins."""
    for at, found in results_in(path, problems):
        bundle = here.find(found.bundle_sha256, found.bundle)
        known = {bundle.sha256: bundle.manifest} if bundle else {}
        yield Summary(at, rows_from([found], known)[0], found.bundle)


class Selection:
    """The rows that were asked for, and what more there is of each."""

    def __init__(
        self,
        rows: Summaries | _Gathered,
        chosen: Filter,
        here: _AtHand,
        problems: list[str],
    ):
        #: A sentence on each thing that had to be left out so far.
        self.problems = problems
        self._rows = rows
        self._chosen = chosen
        self._here = here

    def is_empty(self) -> bool:
        """Whether there is nothing to choose from."""
        return self._rows.is_empty()

    def check(self) -> None:
        """BadInput if something is asked for that nothing has."""
        self._rows.check(self._chosen)

    def count(self) -> int:
        return self._rows.count(self._chosen)

    def devices(self) -> list[str]:
        """Of these rows, in the order of import."""
        return self._rows.devices(self._chosen)

    def whole(self, number: int) -> Measurement:
        return self._rows.whole(number)

    def rows(
        self, *, last: int | None = None, device: str | None = None, reader: Reader = WHOLE
    ) -> Iterator[Summary]:
        """In the order of import; with `last` only so many of the end."""
        chosen = self._chosen if device is None else replace(self._chosen, devices=[device])
        for one in self._rows.chosen(chosen, last=last, reader=reader):
            # a bundle that was not at hand when its results came into the store
            bundle = None if one.row.precision else self._bundle(one)
            if bundle:
                found = self._rows.whole(one.number)
                [row] = rows_from([found], {bundle.sha256: bundle.manifest})
                one = replace(one, row=row)
            yield one

    def findings(self, numbers: Iterable[int]) -> Findings:
        """Whole measurements, in this order; those that cannot be read are left out."""
        measurements = []
        wrong: list[str] = []
        for number in numbers:
            try:
                measurements.append(self._rows.whole(number))
            except BadInput as problem:
                wrong.append(f"{problem} (It is left out.)")
        self.problems += first_few(wrong, "Of the results", "results")
        bundles: dict[str, Bundle] = {}
        manifests: dict[str, Manifest] = {}
        for found in measurements:
            sha256 = found.bundle_sha256
            if not sha256 or sha256 in manifests:
                continue
            bundle = self._find(sha256, found.bundle)
            manifest = bundle.manifest if bundle else self._rows.manifest(sha256)
            if bundle:
                bundles[sha256] = bundle
            if manifest:
                manifests[sha256] = manifest
        return Findings(measurements, bundles, manifests, problems=self.problems)

    def at_hand(self) -> Findings:
        """Only of bundles that lie on this machine."""
        numbers, elsewhere = [], set()
        for one in self._rows.chosen(self._chosen):
            if self._bundle(one):
                numbers.append(one.number)
            else:
                elsewhere.add(one.row.bundle_sha256 or one.row.name)
        found = self.findings(numbers)
        return replace(found, elsewhere=len(elsewhere - found.bundles.keys()))

    def recipe(self) -> str:
        """The name of the one that made all of the bundles; empty where there are several."""
        names = self._rows.recipes()
        for bundle in self._here.found():
            recipe = bundle.manifest.provenance.get("recipe")
            names |= {str(recipe.get("name"))} if isinstance(recipe, Mapping) else set()
        return names.pop() if len(names) == 1 else ""

    def _bundle(self, one: Summary) -> Bundle | None:
        sha256 = one.row.bundle_sha256
        return self._find(sha256, one.folder) if sha256 else None

    def _find(self, sha256: str, folder: str) -> Bundle | None:
        """Where it was measured, or wherever it lay on this machine."""
        places = (folder, *map(str, self._rows.folders(sha256)))
        return next(filter(None, (self._here.find(sha256, place) for place in places)), None)
