"""`secateur report`: what was measured, as one page to hand on."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.commands.chosen_results import chosen_results, filters


@click.command("report", epilog="Example: secateur report bundles/demo -o demo.html")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@filters
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="An .html file with everything in it, or an .md file and a folder of its pictures.",
)
@click.option("--title", default="What pruning costs and gains", show_default=True)
def command(
    sources: tuple[Path, ...],
    devices: tuple[str, ...],
    families: tuple[str, ...],
    methods: tuple[str, ...],
    folders: tuple[Path, ...],
    everything: bool,
    output: Path,
    title: str,
) -> None:
    """A page about SOURCES: stores, folders of runs, or files such as results.jsonl.

    It says which variant to take on which kind of device, and has WER, latency, size and memory
    over sparsity, a table, what no other variant beats, where the zeros are, how far to believe it,
    and how to do it again. Without SOURCES it is about the store.
    """
    from pipeline.report import check_place, report_blocks, write_report
    from pipeline.report_choice import choose
    from speech.errors import BadInput

    check_place(output)
    with chosen_results(
        sources, devices, families, methods, folders, everything=everything
    ) as selection:
        found = choose(selection)
    if not found.findings.measurements:
        raise BadInput("There are no measurements to report on: `secateur bench` makes some.")
    written = write_report(title, report_blocks(found), output)
    click.echo(f"The report is in {' and '.join(map(str, written))}.")
