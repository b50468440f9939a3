"""`secateur results`: what was measured, as a table or for other programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.chosen_results import chosen_results, filters, store_place
from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.rows import Row


@click.command(
    "results", epilog="Example: secateur results bundles/demo/results.jsonl --method obs --csv"
)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@filters
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, all columns.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV, all columns.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows to this file, all columns.",
)
@click.option(
    "--estimate",
    "profile",
    metavar="PROFILE",
    help="Add ESTIMATED rows: what these bundles would take on this device.",
)
@click.option(
    "--import",
    "imports",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="First take this into the store: a results.jsonl, or a folder with job and journal.",
)
@click.option(
    "--as",
    "name",
    metavar="DEVICE",
    help="Device of what is imported [as it says itself, or else this].",
)
def command(
    sources: tuple[Path, ...],
    devices: tuple[str, ...],
    families: tuple[str, ...],
    methods: tuple[str, ...],
    folders: tuple[Path, ...],
    everything: bool,
    as_json: bool,
    as_csv: bool,
    markdown: bool,
    parquet: Path | None,
    profile: str | None,
    imports: tuple[Path, ...],
    name: str | None,
) -> None:
    """The table of SOURCES: stores, or files such as the results.jsonl of `secateur run`.

    Without SOURCES it is the store, SECATEUR_STORE or the one in your data folder, with all that
    devices have sent. Of a bundle that was measured twice on a device, the newest is shown.
    """
    from bench.remote.devices import refuse_name
    from bench.rows import rows_from

    if as_json + as_csv + markdown > 1:
        raise BadInput("--json, --csv and --markdown each print the rows: say one of them.")
    if name is not None:
        refuse_name(name)
        if not imports:
            raise BadInput("--as says of which device what is imported is: name that by --import.")
    if imports:
        _import(imports, sources, name)
    found = chosen_results(sources, devices, families, methods, folders, everything=everything)
    rows = rows_from(found.measurements, found.manifests)
    if profile:
        from bench.estimates import estimates

        guessed = estimates(found, profile)
        click.echo(guessed.about, err=True)
        rows += guessed.rows
    if parquet:
        from bench.report_files import write_parquet

        write_parquet(rows, parquet)
    _print(rows, as_json=as_json, as_csv=as_csv, markdown=markdown)


def _import(imports: tuple[Path, ...], sources: tuple[Path, ...], device: str | None) -> None:
    from bench.store.intake import bring_in
    from bench.store.store import Store

    if len(sources) > 1:
        raise BadInput("Import into one store at a time: name no more than that one.")
    with Store.at(sources[0] if sources else store_place()) as store:
        for place in imports:
            added = bring_in(store, place, device)
            click.echo(f"{place}: {added} new, in {store.path}.", err=True)
        for sentence in store.problems:
            click.echo(f"secateur: {sentence}", err=True)


def _print(rows: list[Row], *, as_json: bool, as_csv: bool, markdown: bool) -> None:
    from bench import report, report_files

    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
    elif as_csv:
        click.echo(report_files.csv_text(rows), nl=False)
    elif markdown:
        click.echo(report.markdown(rows), nl=False)
    else:
        report.show(rows)
