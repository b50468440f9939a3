"""`secateur pack`: a bundle's folder as one file, or a checkpoint without its zeros."""

from importlib.util import find_spec
from pathlib import Path

import click

from pipeline.progress import bars
from runtime.archive import holds_bundle, pack
from runtime.archive_reader import SUFFIX
from runtime.packed.rounded import VALUES, Values
from runtime.packed.writer import HIGHEST_LEVEL
from speech.errors import BadInput
from speech.readable import readable, refuse_unreachable


@click.command("pack", epilog="Example: secateur pack bundles/demo/demo-sew-dense -o sew.secateur")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=f"What to write [the folder's name and {SUFFIX} or -packed, here].",
)
@click.option("--device-only", is_flag=True, help="Bundle: leave the PyTorch checkpoint out.")
@click.option("--replace", is_flag=True, help="Bundle: let the file give way if it is there.")
@click.option(
    "--values", type=click.Choice(VALUES), help="Checkpoint: what weights are held in [fp32]."
)
@click.option(
    "--zstd",
    type=click.IntRange(1, HIGHEST_LEVEL),
    help="Checkpoint: also compress, at this level [no].",
)
def command(
    source: Path,
    output: Path | None,
    device_only: bool,
    replace: bool,
    values: Values | None,
    zstd: int | None,
) -> None:
    """Pack SOURCE, the folder of a bundle or of a checkpoint.

    A bundle becomes one file that `secateur unpack` opens, a tar compressed with zstd; every hash
    is checked. The same bundle always gives the same bytes.

    A checkpoint becomes a folder with a packed file for its weights, where zeros take one bit. All
    of Secateur opens it, and `secateur load` gives back what `from_pretrained` opens. In fp32 no
    bit is lost.
    """
    name = source.resolve().name
    with readable(source):
        is_checkpoint = (source / "config.json").is_file() and not holds_bundle(source)
    if is_checkpoint:
        _refuse(source, "bundle", {"--device-only": device_only, "--replace": replace})
        _pack_checkpoint(source, output or Path(f"{name}-packed"), values or "fp32", zstd)
        return
    _refuse(source, "checkpoint", {"--values": values, "--zstd": zstd})
    file = output or Path(f"{name}{SUFFIX}")
    refuse_unreachable(file)
    if file.is_file() and not replace:
        raise BadInput(f"{file} exists: choose another place, or add --replace.")
    with bars() as report:
        pack(source, file, device_only=device_only, replace=replace, report=report)
    click.echo(f"{source} is packed into {file}, {_mib(file)}.")


def _refuse(source: Path, kind: str, options: dict[str, object]) -> None:
    """Options for another kind of folder than the one that was given."""
    for option, value in options.items():
        if value:
            raise BadInput(f"{option} is for a {kind}, and {source} is none: leave it out.")


def _pack_checkpoint(source: Path, folder: Path, values: Values, zstd: int | None) -> None:
    if find_spec("torch") is None:
        raise BadInput("A checkpoint needs torch, which is not installed here: pack it elsewhere.")
    from export.packed_checkpoint import pack_checkpoint
    from prune.packed_weights import PACKED_WEIGHTS, PLAIN_WEIGHTS

    packed = pack_checkpoint(source, folder, values=values, zstd=zstd)
    sizes = f"{_mib(folder / PACKED_WEIGHTS)} instead of {_mib(source / PLAIN_WEIGHTS)}"
    click.echo(f"{source} is packed into {folder}: its weights are {sizes}.")
    if kept := packed.full_precision:
        click.echo(f"float16 cannot hold all of {', '.join(kept)}: left in fp32.")


def _mib(file: Path) -> str:
    return f"{file.stat().st_size / 2**20:.2f} MiB"
