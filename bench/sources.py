"""Where measurements are looked up: a store or results files, and the bundles that they are of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.reachable import bundles_in, reachable_bundles
from bench.results import read_results
from bench.store.connection import is_store
from bench.store.store import Store
from runtime.bundle import Bundle, Manifest
from runtime.settings import DEFAULT
from speech.errors import BadInput
from speech.readable import refuse_unreachable

STORE_SUFFIX = ".sqlite"

#: What older measurements, which kept no settings, were made with.
_USUAL = DEFAULT.to_json()

Choice = tuple[str, Callable[[Measurement], str], Sequence[str]]


@dataclass(frozen=True)
class Findings:
    """Measurements, and their bundles as far as they are at hand, by hash."""

    measurements: list[Measurement]
    bundles: Mapping[str, Bundle]
    manifests: Mapping[str, Manifest]  # also of bundles that only the store remembers
    problems: Sequence[str] = ()  # a sentence on each thing that had to be left out


def read_sources(paths: Iterable[Path], folders: Iterable[Path] = ()) -> Findings:
    """Stores and results files, in the order given; `folders` hold bundles."""
    measurements: list[Measurement] = []
    problems: list[str] = []
    manifests: dict[str, Manifest] = {}
    places: list[tuple[Path, str]] = []
    for path in paths:
        if is_store(path) or path.suffix == STORE_SUFFIX:
            refuse_unreachable(path)
            if not path.exists():
                raise BadInput(f"There is no store {path}: `secateur results --import` makes one.")
            with Store.at(path) as store:
                measurements += store.measurements()
                problems += store.problems
                manifests |= store.manifests()
                places += store.places()
        else:
            measurements += read_results(path, problems)
    wanted = {found.bundle_sha256 for found in measurements}
    measured = [(Path(found.bundle), found.bundle_sha256) for found in measurements]
    known = [(folder, sha256) for folder, sha256 in places if sha256 in wanted]
    bundles = reachable_bundles([*measured, *known])
    for folder in folders:
        bundles |= {key: found for key, found in bundles_in(folder).items() if key in wanted}
    manifests |= {key: bundle.manifest for key, bundle in bundles.items()}
    return Findings(measurements, bundles, manifests, problems)


def newest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Of those of one bundle with the same settings and clips on the same device the last, unless
    an earlier one says more.

    A bundle is known by its hash: one of the same name that was made anew is another one.
    """
    kept: dict[tuple[str, ...], Measurement] = {}
    for found in measurements:
        same = (
            str(found.environment.get("device") or ""),
            found.bundle_sha256 or found.name,
            json.dumps({**_USUAL, "threads": found.threads, **found.settings}, sort_keys=True),
            "sustained" if found.sustained else "",
            found.with_clips().clip_set,
        )
        there = kept.get(same)
        if there is None or _rank(found) >= _rank(there):
            kept[same] = found
    chosen = set(map(id, kept.values()))
    return [found for found in measurements if id(found) in chosen]


def _rank(found: Measurement) -> tuple[bool, str]:
    """One that was not finished says less than an older one that was."""
    return bool(found.samples or found.error), found.measured_at


def chosen(
    measurements: Sequence[Measurement],
    *,
    devices: Sequence[str] = (),
    families: Sequence[str] = (),
    methods: Sequence[str] = (),
) -> list[Measurement]:
    """Those that have one of the wanted values each; BadInput for a value that nothing has."""
    choices: list[Choice] = [
        ("device", lambda found: str(found.environment.get("device") or ""), devices),
        ("family", lambda found: found.variant.family if found.variant else "", families),
        ("method", lambda found: found.variant.method if found.variant else "", methods),
    ]
    left = list(measurements)
    for what, value_of, wanted in choices:
        known = {value_of(found) for found in measurements}
        for value in wanted:
            if value not in known:
                there = ", ".join(sorted(known - {""})) or "none that is named"
                raise BadInput(f"No measurement is of the {what} {value!r}; there are: {there}.")
        left = [found for found in left if not wanted or value_of(found) in wanted]
    return left
