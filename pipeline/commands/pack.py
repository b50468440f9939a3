"""`secateur pack`: a bundle's folder as one file."""

from pathlib import Path

import click

from pipeline.progress import bars
from runtime.archive import pack
from runtime.archive_reader import SUFFIX


@click.command("pack", epilog="Example: secateur pack bundles/demo/demo-sew-dense -o sew.secateur")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=f"The file to write [the folder's name and {SUFFIX}, here].",
)
@click.option("--device-only", is_flag=True, help="Leave the PyTorch checkpoint out.")
@click.option("--replace", is_flag=True, help="Let the file give way if it is there.")
def command(bundle: Path, output: Path | None, device_only: bool, replace: bool) -> None:
    """Pack BUNDLE, a folder, into one file that `secateur unpack` opens; every hash is checked.

    It is a tar compressed with zstd. The same bundle always gives the same bytes.
    """
    file = output or Path(f"{bundle.resolve().name}{SUFFIX}")
    with bars() as report:
        pack(bundle, file, device_only=device_only, replace=replace, report=report)
    click.echo(f"{bundle} is packed into {file}, {file.stat().st_size / 2**20:.2f} MiB.")
