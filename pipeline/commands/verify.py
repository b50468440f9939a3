"""`secateur verify`: whether a bundle is whole, works, and says what its checkpoint says."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline.progress import bars
from runtime.archive import opened
from speech.corpora import Corpus, open_corpus
from speech.counted import counted
from speech.errors import BadInput

_CLIPS = "demo:test"

#: Clips on which PyTorch and onnxruntime are compared, as in an export.
_COUNT = 8


@click.command("verify", epilog="Example: secateur verify sew.secateur --clips demo:calibration")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--clips", help=f"Corpus: {_COUNT} of its clips are compared [{_CLIPS}].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: Path, clips: str | None, as_json: bool) -> None:
    """Hash every file of BUNDLE, a folder or a .secateur file, and listen with its graphs.

    Where the PyTorch checkpoint is in it and torch is installed, onnxruntime must also say what
    PyTorch says. The first fault is one sentence, and the exit code is 2.
    """
    corpus = open_corpus(clips, limit=_COUNT) if clips else None
    with bars() as report, opened(bundle, check_hashes=True, report=report) as found:
        from pipeline.commands.verify_checks import check_listening, compared, why_not_compared

        check_listening(found)
        why = why_not_compared(found)
        corpus, why = (None, why) if why else _comparable(corpus)
        parity = compared(found, corpus, report) if corpus else None
        here = [file for file in found.manifest.files if (found.folder / file.path).exists()]
        record: dict[str, Any] = {
            "bundle": str(bundle),
            "name": found.manifest.name,
            "sha256": found.sha256,
            "files": len(here),
            "bytes": sum(file.size for file in here),
            "graphs": sorted(found.manifest.graphs),
            "parity": asdict(parity) | {"corpus": corpus.name} if parity and corpus else None,
            "not_compared": why,
        }
    if as_json:
        click.echo(json.dumps(record))
    else:
        _show(record)


def _comparable(corpus: Corpus | None) -> tuple[Corpus | None, str | None]:
    """The user's clips, else the demo's, which an installation need not have."""
    try:
        return corpus or open_corpus(_CLIPS, limit=_COUNT), None
    except BadInput as error:
        return None, f"there are no clips ({error})"


def _show(record: dict[str, Any]) -> None:
    click.echo(
        f"{record['bundle']} is whole: {counted(record['files'], 'file')}, "
        f"{record['bytes'] / 2**20:.2f} MiB, every hash is right."
    )
    click.echo(f"onnxruntime opens and runs it: {', '.join(record['graphs'])}.")
    parity = record["parity"]
    if parity is None:
        click.echo(f"It was not compared with PyTorch: {record['not_compared']}.")
        return
    click.echo(
        f"It says what PyTorch says on {counted(parity['clips'], 'clip')} of {parity['corpus']}: "
        f"{parity['decisions']} decisions, {parity['ties']} of them ties; logits are apart by "
        f"{parity['largest_difference']:.1g} at most."
    )
