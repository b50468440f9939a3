"""Into the store with whatever devices have sent since the last time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.agent.job import JOB_FILE
from bench.agent.journal import JOURNAL_FILE
from bench.agent.measurement import Measurement
from bench.remote.devices import THIS
from bench.results import results_in
from bench.run_folder import RESULTS
from bench.store.journal_lines import is_job_folder
from bench.store.store import Store
from speech.errors import BadInput


def take_in(store: Store, data: Path, say: Callable[[str], None]) -> int:
    """From `data/jobs/DEVICE/JOB`; gives how many lines were new.

    What cannot be imported is said, and the others are imported all the same.
    """
    added, told = 0, len(store.problems)
    for journal in sorted((data / "jobs").glob(f"*/*/{JOURNAL_FILE}")):
        folder = journal.parent
        device = folder.parent.name
        try:
            if not is_job_folder(folder):
                raise BadInput(f"{folder}: without its {JOB_FILE} the journal says too little.")
            if not store.has_all_of(journal, device, job=folder.name):
                added += store.add_folder(folder, device)
        except BadInput as problem:
            say(f"{problem} (It is not among the results.)")
    for sentence in store.problems[told:]:
        say(sentence)
    return added


def bring_in(store: Store, place: Path, device: str | None) -> int:
    """What somebody names: a job's folder, one with several, a results file, or a run's folder.

    Without `device` it is of the one that it names, or else of `this`.
    """
    if (place / RESULTS[0]).is_file():
        place = place / RESULTS[0]
    if place.is_file():
        bundles: dict[tuple[Path, str | None], None] = {}
        added = store.add_results(_filed(place, device, bundles), device or THIS)
        store.add_bundles(bundles)
        return added
    folders = sorted({file.parent for file in place.rglob(JOB_FILE) if is_job_folder(file.parent)})
    if not folders:
        raise BadInput(
            f"{place} has nothing to import: name a results.jsonl, or a folder with {JOB_FILE} "
            f"and {JOURNAL_FILE}."
        )
    return sum(store.add_folder(folder, device or THIS) for folder in folders)


def _filed(
    place: Path, device: str | None, bundles: dict[tuple[Path, str | None], None]
) -> Iterator[Measurement]:
    """One after another, as there may be very many; notes the bundles that they are of."""
    for _, found in results_in(place):
        bundles[Path(found.bundle), found.bundle_sha256] = None
        yield found if device is None else _of(found, device)


def _of(measurement: Measurement, device: str) -> Measurement:
    return replace(measurement, environment={**measurement.environment, "device": device})
