"""The source that reads a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from bench.reachable import reachable_bundles
from bench.rows import Row
from bench.sources import at_hand
from bench.store.store import Store
from bench.store.summaries import Filter, Summaries, Summary
from device_profiles.profiles import ProfileError
from speech.errors import BadInput
from tui.source import reckoning
from tui.source.profiles import all_devices, measured_place, profile_places
from tui.source.records import ALL_DEVICES, Computed, Detail, Place, Record, Sensitivities
from tui.source.sensitivity_files import read_all

#: Seconds that the app waits for a store that another process has locked; then it says so.
PATIENCE = 2.0
#: Results in the first batch, and at least in those that follow.
_FIRST, _LATER = 100, 1000


class StoredSource:
    """Every answer opens the store anew, as each is given in a thread of its own."""

    def __init__(
        self, path: Path, *, sensitivities: Sequence[Path] = (), patience: float = PATIENCE
    ):
        self.title = path.name
        self.id = str(path.absolute())
        self._path = path
        self._named = tuple(sensitivities)
        self._patience = patience
        self._guesses = reckoning.Guesses(lambda: at_hand(path))
        self._stamp: object = None
        self.faults: Sequence[str] = ()

    def places(self) -> Sequence[Place]:
        with Summaries.at(self._path, patience=self._patience) as store:
            self.faults = store.fold_anew()
            owners = store.owners()
        measured = [measured_place(one.name, one.cases, one.facts) for one in owners]
        return [*measured, *all_devices(measured), *profile_places()] if measured else []

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        if place.kind == "estimated":
            yield guessed(self._guesses, place)
            return
        with Summaries.at(self._path, patience=self._patience) as store:
            devices = () if place.id == ALL_DEVICES else (place.device,)
            yield from in_batches(store.chosen(Filter(devices)))

    def detail(self, record: Record) -> Detail:
        with Summaries.at(self._path, patience=self._patience) as store:
            found = store.whole(int(record.key))
            manifest = store.manifest(found.bundle_sha256)
            folders = [Path(found.bundle), *store.folders(found.bundle_sha256)]
        here = reachable_bundles((folder, found.bundle_sha256) for folder in folders)
        bundle = next(iter(here.values()), None)
        known = bundle.manifest if bundle else manifest
        return Detail(record.key, found, known, bundle.folder if bundle else None)

    def past(self, record: Record) -> Sequence[Record]:
        with Summaries.at(self._path, patience=self._patience) as store:
            return in_time(store.named(store.whole(int(record.key)).name))

    def computed(self, detail: Detail, dense: Detail | None) -> Computed | None:
        return reckoning.computed(detail, dense)

    def sensitivities(self) -> Sensitivities:
        return read_all(self._named, self._path)

    def land(self, folder: Path, device: str, bundles: Sequence[tuple[Path, str]]) -> None:
        with Store.at(self._path, patience=self._patience) as store:
            for place, sha256 in bundles:
                if place.is_dir():
                    store.add_bundles([(place, sha256)])
            store.add_folder(folder, device)

    def stamp(self) -> object:
        """SQLite writes to the log beside the file first. Whoever only reads makes an empty log."""
        stamp = (*_written(self._path), _written(Path(f"{self._path}-wal"))[1])
        if stamp != self._stamp:
            self._guesses.forget()
        self._stamp = stamp
        return stamp


def _written(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def in_batches(summaries: Iterable[Summary]) -> Iterator[Sequence[Record]]:
    """Few at first, so that there is something to see; then as many as there were before, as each
    batch is put among those."""
    left = map(_record, summaries)
    count, size = 0, _FIRST
    while batch := list(islice(left, size)):
        yield batch
        count += len(batch)
        size = max(_LATER, count)


def in_time(summaries: Sequence[Summary]) -> list[Record]:
    return list(map(_record, sorted(summaries, key=lambda one: one.row.measured_at)))


def _record(one: Summary) -> Record:
    return Record(str(one.number), one.row)


def guessed(guesses: reckoning.Guesses, place: Place) -> list[Record]:
    """BadInput where nothing can be guessed from."""
    profile = place.id.partition(":")[2]
    try:
        rows: list[Row] = guesses.rows(profile)
    except ProfileError as problem:
        raise BadInput(str(problem)) from problem
    if not rows:
        raise BadInput(
            f"There is nothing to reckon {profile} from: no bundle that was measured lies on this "
            "machine as it was."
        )
    return [Record(f"{place.id}:{at}", row) for at, row in enumerate(rows)]
