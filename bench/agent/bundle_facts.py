"""What a bundle's manifest says that a table or a plot of results needs."""

from __future__ import annotations

from pathlib import Path

from bench.agent.events import CaseStarted
from bench.agent.measurement import Variant
from runtime.bundle import MANIFEST, Bundle
from speech.errors import BadInput


def facts_of(case: str, folder: Path) -> CaseStarted | None:
    """None for what is no bundle: that the measuring process will say, with the reason."""
    try:
        bundle = Bundle.open(folder, on_device=True)
    except BadInput:
        return None
    manifest_bytes = (folder / MANIFEST).stat().st_size
    return CaseStarted(
        case=case,
        name=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        variant=describe_variant(bundle),
        device_bytes=manifest_bytes + sum(file.size for file in bundle.device_files),
        bundle_bytes=manifest_bytes + sum(file.size for file in bundle.manifest.files),
    )


def describe_variant(bundle: Bundle) -> Variant:
    manifest = bundle.manifest
    return Variant(
        name=manifest.name,
        family=manifest.family,
        method=manifest.method,
        requested_sparsity=manifest.sparsity.requested,
        achieved_sparsity=manifest.sparsity.achieved,
        model_sparsity=manifest.sparsity.model,
        score=manifest.score.to_json() if manifest.score else None,
        model=manifest.model,
        precision=manifest.precision,
    )
