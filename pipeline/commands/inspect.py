"""`secateur inspect`: what is in a bundle."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from pipeline.progress import Report, bars
from runtime.archive import Contents, contents, opened
from runtime.bundle import Bundle
from speech.errors import BadInput


@click.command("inspect", epilog="Example: secateur inspect bundles/demo/demo-sew-dense --json")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--sizes", is_flag=True, help="Also what the weights cost, here and in other forms.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: Path, sizes: bool, as_json: bool) -> None:
    """What BUNDLE, a folder or a .secateur file, is, where it comes from, and what a device needs.

    An archive is read to its end and every hash in it checked; of a folder only the sizes are.
    """
    if not as_json and find_spec("rich") is None:
        raise BadInput("The table needs rich, which is not installed here: add --json.")
    if sizes and find_spec("onnx") is None:
        raise BadInput("--sizes needs onnx, which is not installed here: leave it out.")
    with bars() as report:
        record = _record(bundle, contents(bundle, report=report))
        record["sizes"] = _sizes(bundle, report) if sizes else None
    if as_json:
        click.echo(json.dumps(record))
        return
    from pipeline.commands.inspect_table import show

    show(record)


def _sizes(path: Path, report: Report) -> dict[str, dict[str, int]]:
    from export.storage import storage_sizes

    with opened(path, report=report) as bundle:
        sizes = storage_sizes(bundle, report=report)
    return {name: size.to_json() for name, size in sizes.items()}


def _record(path: Path, found: Contents) -> dict[str, Any]:
    manifest, here = found.manifest, set(found.files)
    needed = set(Bundle(path, manifest).device_files)
    sparsity = manifest.sparsity
    return {
        "bundle": str(path),
        "name": manifest.name,
        "family": manifest.family,
        "architecture": manifest.architecture,
        "precision": manifest.precision,
        "method": manifest.method,
        "sparsity": {
            "requested": sparsity.requested,
            "achieved": sparsity.achieved,
            "model": sparsity.model,
        },
        "score": manifest.score.to_json() if manifest.score else None,
        "provenance": manifest.provenance,
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "for_device": file in needed,
                "here": file in here,
            }
            for file in manifest.files
        ],
        "bytes": sum(file.size for file in here),
        "device_bytes": sum(file.size for file in needed),
        "archive_bytes": path.stat().st_size if path.is_file() else None,
        "sha256": found.sha256,
    }
