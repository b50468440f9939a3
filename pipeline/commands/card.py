"""`secateur card`: what a bundle is, as a page for the hub."""

from pathlib import Path

import click

from pipeline.card_files import README, card_files
from pipeline.progress import bars
from runtime.archive import opened
from runtime.whole_folder import full_disk_is_bad_input, refuse_taken, written_whole


@click.command("card", epilog="Example: secateur card bundles/demo/demo-sew-dense -o card")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write it and its picture into this folder, absent or empty [print it].",
)
@click.option("--license", help="What the hub is to call its licence, such as apache-2.0.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="A results.jsonl: also what was measured of this bundle.",
)
def command(bundle: Path, output: Path | None, license: str | None, results: Path | None) -> None:
    """The model card of BUNDLE, a folder or a .secateur file, in Markdown.

    It says how the model was cut, how well it hears, how it is run, and claims nothing that is
    not in the bundle. `secateur push` sends it along.
    """
    if output:
        refuse_taken(output)
    with bars() as report, opened(bundle, report=report) as found:
        files = card_files(found, license=license, results=results)
    if output is None:
        click.echo(files[README].decode(), nl=False)
        return
    with full_disk_is_bad_input(str(output)), written_whole(output) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    click.echo(f"The card of {bundle} is in {output}: {', '.join(files)}.")
