"""`secateur load`: the plain PyTorch checkpoint in a packed one, a bundle or an archive."""

from importlib.util import find_spec
from pathlib import Path

import click

from pipeline.progress import bars
from runtime.whole_folder import full_disk_is_bad_input, refuse_taken, written_whole
from speech.errors import BadInput


@click.command("load", epilog="Example: secateur load sew.secateur -o sew-checkpoint")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder to write, absent or empty.",
)
def command(source: str, output: Path) -> None:
    """Write the checkpoint in SOURCE as a folder that transformers' `from_pretrained` opens.

    SOURCE is a folder that `secateur pack` made of a checkpoint, a bundle's folder with its pytorch
    folder in it, or a .secateur archive of such a bundle.
    """
    if find_spec("torch") is None:
        raise BadInput("A checkpoint needs torch, which is not installed here: load it elsewhere.")
    refuse_taken(output)
    from export.packed_checkpoint import load
    from prune.structure.shapes import needs_shaping

    with bars() as report:
        checkpoint = load(source, report=report)
    with full_disk_is_bad_input(str(output)), written_whole(output) as folder:
        checkpoint.save(folder)
    opener = "from_pretrained opens it"
    if needs_shaping(checkpoint.model.config):
        opener = "its layers differ in size, so only open_checkpoint opens it"
    click.echo(f"The checkpoint of {source} is in {output}: {opener}.")
