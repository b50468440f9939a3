"""`secateur unpack`: the folder that was packed into one file."""

from pathlib import Path

import click

from pipeline.progress import bars
from runtime.archive import unpack


@click.command("unpack", epilog="Example: secateur unpack sew.secateur -o bundles/sew")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write, absent or empty [the file's name without its ending, here].",
)
def command(file: Path, output: Path | None) -> None:
    """Unpack FILE, a .secateur archive, into a folder: all of it, every hash right, or nothing.

    An archive may come from anywhere: only what its bundle.json lists is ever written.
    """
    folder = output or Path(file.stem)
    with bars() as report:
        bundle = unpack(file, folder, report=report)
    click.echo(f"{file} is unpacked into {folder}: the bundle {bundle.manifest.name!r}.")
