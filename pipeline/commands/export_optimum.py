"""`secateur export-optimum`: a model in the layout of optimum and transformers.js."""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.progress import bars
from runtime.whole_folder import refuse_taken
from speech.corpora import open_corpus
from speech.counted import counted

#: Clips on which PyTorch, onnxruntime and optimum are compared.
_COUNT = 5


@click.command(
    "export-optimum",
    epilog="Example: secateur export-optimum bundles/demo/demo-whisper-mp_global-50 for-optimum",
)
@click.argument("source")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--clips", default="demo:test", show_default=True, help=f"Corpus: {_COUNT} clips are compared."
)
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    envvar="SECATEUR_OPTIMUM_PYTHON",
    show_envvar=True,
    help="Of an environment with optimum, which listens too [.venv-optimum's, where it is].",
)
@click.option("--revision", help="Branch, tag or commit of a hub model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    source: str,
    output: Path,
    clips: str,
    python: Path | None,
    revision: str | None,
    as_json: bool,
) -> None:
    """Write SOURCE into OUTPUT, a new folder that optimum's ORT classes and transformers.js open.

    SOURCE is an fp32 bundle (folder or .secateur file), a checkpoint folder or a hub name. Before
    OUTPUT is there, onnxruntime and, with --python, optimum must say what PyTorch says.
    """
    refuse_taken(output)
    python = python or _beside_us()
    corpus = open_corpus(clips, limit=_COUNT)
    from export.optimum.layout import write_optimum_layout
    from export.packed_checkpoint import load

    with bars() as report:
        checkpoint = load(source, revision=revision, check_hashes=True, report=report)
    sounds = [clip.samples() for clip in corpus.clips]
    agreement = write_optimum_layout(checkpoint, output, sounds, python=python)
    files = {
        path.relative_to(output).as_posix(): path.stat().st_size
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }
    record: dict[str, Any] = {
        "source": source,
        "output": str(output),
        "family": checkpoint.family,
        "files": files,
        "bytes": sum(files.values()),
        "clips": agreement.clips,
        "corpus": corpus.name,
        "largest_difference": agreement.largest_difference,
        "optimum": agreement.optimum,
    }
    click.echo(json.dumps(record)) if as_json else _show(record)


def _beside_us() -> Path | None:
    """The environment that `make optimum` sets up in a source checkout."""
    python = Path(__file__).parents[2] / ".venv-optimum" / "bin" / "python"
    return python if python.exists() else None


def _show(record: dict[str, Any]) -> None:
    click.echo(f"{record['output']} is written, {record['bytes'] / 2**20:.2f} MiB:")
    for name, size in record["files"].items():
        click.echo(f"  {size:>12,}  {name}")
    click.echo(
        f"onnxruntime says what PyTorch says on {counted(record['clips'], 'clip')} of "
        f"{record['corpus']}; "
        f"logits are apart by {record['largest_difference']:.1g} at most."
    )
    if record["optimum"]:
        click.echo(f"optimum {record['optimum']} opens it and chooses the same tokens and texts.")
    else:
        click.echo("optimum itself was not asked: `make optimum` sets up an environment with it.")
