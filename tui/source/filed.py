"""The source that reads a results file, such as `secateur run` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.reachable import reachable_bundles
from bench.rows import rows_from
from bench.sources import Findings, read_sources
from bench.store.summaries import Summary
from prune.damage import Sensitivity
from speech.errors import BadInput
from tui.source import reckoning
from tui.source.profiles import measured_place, profile_places
from tui.source.records import Computed, Detail, Place, Record
from tui.source.sensitivity_files import read_all
from tui.source.stored import guessed, in_time, records_of


class FileSource:
    """Reads the file at once, and again whenever it has changed. BadInput from the first time."""

    def __init__(self, path: Path, *, sensitivities: Sequence[Path] = ()):
        self.title = f"{path.parent.name}/{path.name}".lstrip("/")
        self._path = path
        self._named = tuple(sensitivities)
        self._guesses = reckoning.Guesses(lambda: self._findings)
        self._read_at: object = None
        self._refresh()

    def places(self) -> Sequence[Place]:
        self._refresh()
        devices = dict.fromkeys(_device(found) for found in self._findings.measurements)
        measured = [self._place(device) for device in devices]
        return [*measured, *profile_places()] if measured else []

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        if place.kind == "estimated":
            yield guessed(self._guesses, place)
            return
        device = place.id.partition(":")[2]
        yield from records_of(iter([[one for one in self._summaries if one.row.device == device]]))

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
        return in_time([one for one in self._summaries if one.row.name == record.row.name])

    def computed(self, detail: Detail, dense: Detail | None) -> Computed | None:
        return reckoning.computed(detail, dense)

    def sensitivities(self) -> Sequence[Sensitivity]:
        return read_all(self._named, self._path)

    def stamp(self) -> object:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _refresh(self) -> None:
        stamp = self.stamp()
        if stamp is not None and stamp == self._read_at:
            return
        self._findings: Findings = read_sources([self._path])
        self._read_at = stamp
        self._guesses.forget()
        rows = rows_from(self._findings.measurements, self._findings.manifests)
        pairs = zip(rows, self._findings.measurements, strict=True)
        self._summaries = [
            Summary(at, row, bool(found.sustained)) for at, (row, found) in enumerate(pairs)
        ]

    def _place(self, device: str) -> Place:
        own = [found for found in self._findings.measurements if _device(found) == device]
        return measured_place(device, len(own), own[-1].environment)


def _device(found: Measurement) -> str:
    return str(found.environment.get("device") or "")
