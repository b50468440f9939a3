"""The source that reads a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.reachable import reachable_bundles
from bench.rows import Row
from bench.sources import at_hand
from bench.store.store import Store
from bench.store.summaries import Summaries, Summary
from device_profiles.profiles import ProfileError
from speech.errors import BadInput
from tui.source import reckoning
from tui.source.profiles import all_devices, measured_place, profile_places
from tui.source.records import ALL_DEVICES, Computed, Detail, Place, Record, Sensitivities
from tui.source.sensitivity_files import read_all

#: Seconds that the app waits for a store that another process has locked; then it says so.
PATIENCE = 2.0
#: Results in a batch: few at first, so that there is something to see.
_FIRST, _LATER = 100, 1000
_OF_MANY = 4000  # as each batch is put among all those before it


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

    def places(self) -> Sequence[Place]:
        with Summaries.at(self._path, patience=self._patience) as store:
            store.fold_anew()
            owners = store.owners()
        measured = [measured_place(one.name, one.cases, one.facts) for one in owners]
        return [*measured, *all_devices(measured), *profile_places()] if measured else []

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        if place.kind == "estimated":
            yield guessed(self._guesses, place)
            return
        with Summaries.at(self._path, patience=self._patience) as store:
            if place.id == ALL_DEVICES:
                yield from records_of(_of_all(store))
            else:
                yield from records_of(store.of(place.device, first=_FIRST, later=_LATER))

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


def _of_all(store: Summaries) -> Iterator[Sequence[Summary]]:
    for owner in store.owners():
        yield from store.of(owner.name, first=_FIRST, later=_OF_MANY)


def _written(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def records_of(batches: Iterator[Sequence[Summary]]) -> Iterator[Sequence[Record]]:
    """Without those that are older than one of the same identity that came before."""
    ranks: dict[tuple[object, ...], tuple[bool, str]] = {}
    for batch in batches:
        chosen = []
        for one in batch:
            identity, rank = one.row.identity, one.row.rank
            if rank >= ranks.get(identity, (False, "")):
                ranks[identity] = rank
                chosen.append(Record(str(one.number), one.row, identity))
        yield chosen


def in_time(summaries: Sequence[Summary]) -> list[Record]:
    ordered = sorted(summaries, key=lambda one: one.row.measured_at)
    return [Record(str(one.number), one.row, (one.number,)) for one in ordered]


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
    return [Record(f"{place.id}:{at}", row, (place.id, at)) for at, row in enumerate(rows)]
