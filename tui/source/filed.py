"""The source that reads a results file, such as `secateur run` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.agent.measurement import Fact, Measurement
from bench.folded import measurements_of
from bench.reachable import reachable_bundles
from bench.results import result_at, results_in
from bench.rows import Row, rows_from
from bench.sources import Findings
from bench.store.journal_lines import read_job_folder
from bench.store.summaries import Summary
from runtime.bundle import Bundle
from speech.errors import BadInput
from tui.source import reckoning
from tui.source.profiles import all_devices, measured_place, profile_places
from tui.source.records import ALL_DEVICES, Computed, Detail, Place, Record, Sensitivities
from tui.source.sensitivity_files import read_all
from tui.source.stored import guessed, in_batches, in_time


@dataclass(frozen=True)
class _Landed:
    """What was measured while the file is shown."""

    measurements: Sequence[Measurement]
    bundles: Mapping[str, Bundle]
    faults: Sequence[str]


class FileSource:
    """Reads the file at once, and again whenever it has changed. BadInput from the first time."""

    def __init__(self, path: Path, *, sensitivities: Sequence[Path] = ()):
        self.title = f"{path.parent.name}/{path.name}".lstrip("/")
        self.id = str(path.absolute())
        self._path = path
        self._named = tuple(sensitivities)
        self._guesses = reckoning.Guesses(lambda: self._findings())
        self._read_at: object = None
        self._landed: dict[str, _Landed] = {}  # by job
        self._landings = 0
        self._refresh()

    def places(self) -> Sequence[Place]:
        self._refresh()
        facts = self._read.facts
        counts = Counter(one.row.device for one in self._read.newest)
        measured = [measured_place(name, count, facts[name]) for name, count in counts.items()]
        return [*measured, *all_devices(measured), *profile_places()] if measured else []

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        if place.kind == "estimated":
            yield guessed(self._guesses, place)
            return
        everywhere = place.id == ALL_DEVICES
        newest = self._read.newest
        yield from in_batches(one for one in newest if everywhere or one.row.device == place.device)

    @property
    def faults(self) -> Sequence[str]:
        return self._read.faults

    def detail(self, record: Record) -> Detail:
        found = self._whole(self._read, self._number(record))
        bundle = self._read.bundles.get(found.bundle_sha256 or "")
        manifest = bundle.manifest if bundle else None
        if bundle is not None:
            here = reachable_bundles([(bundle.folder, found.bundle_sha256)])
            bundle = next(iter(here.values()), None)
        return Detail(record.key, found, manifest, bundle.folder if bundle else None)

    def past(self, record: Record) -> Sequence[Record]:
        name = self._read.summaries[self._number(record)].row.name
        return in_time([one for one in self._read.summaries if one.row.name == name])

    def computed(self, detail: Detail, dense: Detail | None) -> Computed | None:
        return reckoning.computed(detail, dense)

    def sensitivities(self) -> Sensitivities:
        return read_all(self._named, self._path)

    def land(self, folder: Path, device: str, bundles: Sequence[tuple[Path, str]]) -> None:
        """Shown beside the file, which stays as it is: the journal is kept, for the store."""
        found = read_job_folder(folder)
        events = [line.stamped for line in found.lines]
        measured = measurements_of(found.job, events, device)
        places = [(Path(case.bundle), case.bundle_sha256) for case in found.job.cases]
        here = reachable_bundles([*places, *bundles])
        self._landed[found.job.id] = _Landed(measured, here, found.problems)
        self._landings += 1

    def stamp(self) -> object:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, self._landings

    def _refresh(self) -> None:
        stamp = self.stamp()
        if stamp is not None and stamp == self._read_at:
            return
        read, landed = _Read(), list(self._landed.values())
        for one in landed:
            read.bundles.update(one.bundles)
        for at, found in results_in(self._path, read.faults):
            read.add(found, at)
        for one in landed:
            read.faults += one.faults
            for found in one.measurements:
                read.add(found, found)
        read.newest = _newest(read.summaries)
        self._read, self._read_at = read, stamp
        self._guesses.forget()

    def _number(self, record: Record) -> int:
        number = int(record.key)
        if number >= len(self._read.summaries):
            raise BadInput(f"{self._path}: this result is there no more.")
        return number

    def _whole(self, read: _Read, number: int) -> Measurement:
        place = read.places[number]
        return place if isinstance(place, Measurement) else result_at(self._path, place)

    def _findings(self) -> Findings:
        """Of bundles that lie on this machine, the newest."""
        read = self._read
        here = [one for one in read.newest if _is_of(one.row, read.bundles)]
        manifests = {sha256: bundle.manifest for sha256, bundle in read.bundles.items()}
        measurements = [self._whole(read, one.number) for one in here]
        elsewhere = {one.row.bundle_sha256 or one.row.name for one in read.newest}
        count = len(elsewhere - read.bundles.keys())
        return Findings(measurements, read.bundles, manifests, elsewhere=count)


@dataclass
class _Read:
    """The file's rows; whole measurements stay in it, but for those that have landed."""

    summaries: list[Summary] = field(default_factory=list)
    places: list[int | Measurement] = field(default_factory=list)  # the byte at which a line begins
    newest: Sequence[Summary] = ()
    facts: dict[str, Mapping[str, Fact]] = field(default_factory=dict)  # by device, the last ones
    bundles: dict[str, Bundle] = field(default_factory=dict)  # that lie on this machine, by hash
    faults: list[str] = field(default_factory=list)
    _looked_for: set[tuple[str, str | None]] = field(default_factory=set)

    def add(self, found: Measurement, place: int | Measurement) -> None:
        sha256 = found.bundle_sha256
        if sha256 not in self.bundles and (found.bundle, sha256) not in self._looked_for:
            self._looked_for.add((found.bundle, sha256))
            self.bundles.update(reachable_bundles([(Path(found.bundle), sha256)]))
        bundle = self.bundles.get(sha256 or "")
        [row] = rows_from([found], {bundle.sha256: bundle.manifest} if bundle else {})
        self.facts[row.device] = found.environment
        self.summaries.append(Summary(len(self.places), row))
        self.places.append(place)


def _newest(summaries: Sequence[Summary]) -> list[Summary]:
    kept: dict[tuple[object, ...], Summary] = {}
    for one in summaries:
        if one.row.rank >= kept.get(one.row.identity, one).row.rank:
            kept[one.row.identity] = one
    return sorted(kept.values(), key=lambda one: one.number)


def _is_of(row: Row, bundles: Mapping[str, Bundle]) -> bool:
    return (row.bundle_sha256 or "") in bundles
