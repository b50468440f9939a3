"""The source that reads a results file, such as `secateur run` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.folded import measurements_of
from bench.reachable import reachable_bundles
from bench.rows import rows_from
from bench.sources import Findings, read_sources
from bench.store.journal_lines import read_job_folder
from bench.store.summaries import Summary
from speech.errors import BadInput
from tui.source import reckoning
from tui.source.profiles import all_devices, measured_place, profile_places
from tui.source.records import ALL_DEVICES, Computed, Detail, Place, Record, Sensitivities
from tui.source.sensitivity_files import read_all
from tui.source.stored import guessed, in_batches, in_time


class FileSource:
    """Reads the file at once, and again whenever it has changed. BadInput from the first time."""

    def __init__(self, path: Path, *, sensitivities: Sequence[Path] = ()):
        self.title = f"{path.parent.name}/{path.name}".lstrip("/")
        self.id = str(path.absolute())
        self._path = path
        self._named = tuple(sensitivities)
        self._guesses = reckoning.Guesses(self._newest_findings)
        self._read_at: object = None
        self._landed: dict[str, Findings] = {}  # by job: what was measured while this is shown
        self._landings = 0
        self._refresh()

    def places(self) -> Sequence[Place]:
        self._refresh()
        counts = Counter(one.row.device for one in self._newest)
        facts = {_device(one): one.environment for one in self._findings.measurements}
        measured = [measured_place(name, count, facts[name]) for name, count in counts.items()]
        return [*measured, *all_devices(measured), *profile_places()] if measured else []

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        if place.kind == "estimated":
            yield guessed(self._guesses, place)
            return
        everywhere = place.id == ALL_DEVICES
        own = (one for one in self._newest if everywhere or one.row.device == place.device)
        yield from in_batches(own)

    @property
    def faults(self) -> Sequence[str]:
        return self._findings.problems

    def detail(self, record: Record) -> Detail:
        try:
            found = self._findings.measurements[int(record.key)]
        except IndexError as problem:
            raise BadInput(f"{self._path}: this result is there no more.") from problem
        bundle = self._findings.bundles.get(found.bundle_sha256 or "")
        if bundle is not None:
            here = reachable_bundles([(bundle.folder, found.bundle_sha256)])
            bundle = next(iter(here.values()), None)
        manifest = self._findings.manifests.get(found.bundle_sha256 or "")
        return Detail(record.key, found, manifest, bundle.folder if bundle else None)

    def past(self, record: Record) -> Sequence[Record]:
        name = self._summaries[int(record.key)].row.name
        return in_time([one for one in self._summaries if one.row.name == name])

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
        manifests = {sha256: bundle.manifest for sha256, bundle in here.items()}
        self._landed[found.job.id] = Findings(measured, here, manifests, problems=found.problems)
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
        self._findings = _joined([read_sources([self._path]), *list(self._landed.values())])
        self._read_at = stamp
        self._guesses.forget()
        rows = rows_from(self._findings.measurements, self._findings.manifests)
        self._summaries = [Summary(at, row) for at, row in enumerate(rows)]
        self._newest = _newest(self._summaries)

    def _newest_findings(self) -> Findings:
        measurements = [self._findings.measurements[one.number] for one in self._newest]
        return replace(self._findings, measurements=measurements)


def _newest(summaries: Sequence[Summary]) -> list[Summary]:
    kept: dict[tuple[object, ...], Summary] = {}
    for one in summaries:
        if one.row.rank >= kept.get(one.row.identity, one).row.rank:
            kept[one.row.identity] = one
    return list(kept.values())


def _joined(parts: Sequence[Findings]) -> Findings:
    return Findings(
        [found for part in parts for found in part.measurements],
        {sha256: bundle for part in parts for sha256, bundle in part.bundles.items()},
        {sha256: manifest for part in parts for sha256, manifest in part.manifests.items()},
        problems=[sentence for part in parts for sentence in part.problems],
    )


def _device(found: Measurement) -> str:
    return str(found.environment.get("device") or "")
