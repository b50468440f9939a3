"""The files that make a bundle's page on the hub: its card, the picture in it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.agent.measurement import Measurement
from bench.results import read_results
from bench.rows import Row, rows_from
from export.card import UNNAMED, Measured, card
from pipeline.plots.layer_sparsity import draw_layer_sparsity
from runtime.bundle import Bundle, Manifest
from speech.errors import BadInput

README = "README.md"
PICTURE = "sparsity.png"


def card_files(
    bundle: Bundle,
    *,
    repository: str = UNNAMED,
    license: str | None = None,
    results: Path | None = None,
) -> Mapping[str, bytes]:
    """Name and content of each; a bundle without zeros gets no picture."""
    picture = _picture(bundle.manifest)
    text = card(
        bundle,
        repository=repository,
        license=license,
        measured=_measured(bundle, results) if results else [],
        picture=PICTURE if picture else None,
    )
    files = {README: text.encode()}
    return files | {PICTURE: picture} if picture else files


def _picture(manifest: Manifest) -> bytes | None:
    sparsity = manifest.sparsity
    if not any(sparsity.layers.values()):
        return None
    with tempfile.TemporaryDirectory(prefix="secateur-") as place:
        path = Path(place) / PICTURE
        title = f"Zeros by layer: {manifest.name}"
        draw_layer_sparsity(sparsity.layers, path, title=title, achieved=sparsity.achieved)
        return path.read_bytes()


def _measured(bundle: Bundle, results: Path) -> list[Measured]:
    """Those of this very bundle; the hash of its manifest tells."""
    digest = bundle.sha256
    mine = [found for found in read_results(results) if found.bundle_sha256 == digest]
    rows = zip(mine, rows_from(mine), strict=True)
    sound = [_as_measured(found, row) for found, row in rows if not row.problem]
    if not sound:
        raise BadInput(
            f"{results} has no measurement of the bundle {bundle.manifest.name} as it is now: "
            "measure it again, or leave out --results."
        )
    return sound


def _as_measured(found: Measurement, row: Row) -> Measured:
    facts = found.environment
    machine = facts.get("model") or facts.get("cpu") or facts.get("architecture") or "not recorded"
    return Measured(
        machine=str(machine),
        threads=found.threads,
        latency_ms=row.latency_ms,
        real_time_factor=row.real_time_factor,
        memory_mib=row.memory_mib,
        samples=row.samples,
    )
