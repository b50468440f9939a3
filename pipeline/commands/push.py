"""`secateur push`: a bundle onto the Hugging Face hub, with its card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pipeline.card_files import card_files
from pipeline.hub_upload import MAIN, Destination, check_token, parcel, size_of, upload
from pipeline.progress import bars
from runtime.archive import opened
from speech.counted import counted


@click.command("push", epilog="Example: secateur push bundles/demo/demo-sew-dense me/demo-sew")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("name", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, help="Make a repository that only its owner sees.")
@click.option("--revision", metavar="BRANCH", help="A branch, made if it is not there [main].")
@click.option("--message", help="What the commit is to say [the bundle's name].")
@click.option("--license", help="What the hub is to call its licence, such as apache-2.0.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="A results.jsonl: the card also says what was measured of this bundle.",
)
@click.option("--dry-run", is_flag=True, help="List what would be sent, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    bundle: Path,
    name: str,
    private: bool,
    revision: str | None,
    message: str | None,
    license: str | None,
    results: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send BUNDLE, a folder or a .secateur file, to the hub, with a model card, as one commit.

    Every hash is checked first, and only what the bundle lists is sent. The token is that of
    `hf auth login` or HF_TOKEN; HF_ENDPOINT names another hub.

    The way back: `hf download OWNER/NAME --local-dir X`, then `secateur eval X`.
    """
    where = Destination(name, revision or MAIN, private)
    if not dry_run:
        check_token()
    with bars() as report, opened(bundle, check_hashes=True, report=report) as found:
        beside = card_files(found, repository=name, license=license, results=results)
        sent = parcel(found, beside)
        sizes = {path: size_of(content) for path, content in sent.items()}
        title = message or f"Add {found.manifest.name}"
        pushed = None if dry_run else upload(sent, where, title)
    record: dict[str, Any] = {
        "bundle": str(bundle),
        "repository": name,
        "revision": where.branch,
        "files": [{"path": path, "size": size} for path, size in sizes.items()],
        "bytes": sum(sizes.values()),
        "removed": list(pushed.removed) if pushed else [],
        "commit": pushed.commit if pushed else None,
        "url": pushed.url if pushed else None,
    }
    if as_json:
        click.echo(json.dumps(record))
    else:
        _show(record)


def _show(record: Mapping[str, Any]) -> None:
    total = f"{counted(len(record['files']), 'file')}, {record['bytes'] / 2**20:.2f} MiB"
    if record["commit"] is None:
        for file in record["files"]:
            click.echo(f"{file['size']:>14,}  {file['path']}")
        click.echo(f"{total} would be sent to {record['repository']}; nothing was.")
        return
    click.echo(f"{record['bundle']} is on the hub: {total}, {record['url']}")
    for path in record["removed"]:
        click.echo(f"Gone from there, as this bundle has none: {path}")
