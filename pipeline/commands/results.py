"""`secateur results`: what was measured, as a table or for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.chosen_results import chosen_results, filters, store_place, summing_up
from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.rows import Row
    from bench.sources import Selection


@click.command("results", epilog="Example: secateur results bundles/demo --method obs --csv")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@filters
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, all columns.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV, all columns.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="Rows in the table or in Markdown, the last that were measured.",
)
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
    help="First take this into the store: a results.jsonl, or the folder of a run or a job.",
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
    limit: int,
    parquet: Path | None,
    profile: str | None,
    imports: tuple[Path, ...],
    name: str | None,
) -> None:
    """The table of SOURCES: stores, folders of runs, or files such as results.jsonl.

    Without SOURCES it is the store, SECATEUR_STORE or the one in your data folder, with all that
    devices have sent. Of a bundle that was measured twice on a device, the newest is shown.
    """
    from bench.remote.devices import refuse_name

    if as_json + as_csv + markdown > 1:
        raise BadInput("--json, --csv and --markdown each print the rows: say one of them.")
    if name is not None:
        refuse_name(name)
        if not imports:
            raise BadInput("--as says of which device what is imported is: name that by --import.")
    if imports:
        _import(imports, sources, name)
    with chosen_results(
        sources, devices, families, methods, folders, everything=everything
    ) as found:
        guessed = _guessed(found, profile) if profile else []
        if parquet:
            from bench.report_files import write_parquet

            write_parquet(_every(found, guessed), parquet)
        if as_json or as_csv:
            from bench.report_files import csv_parts, json_parts

            for part in (json_parts if as_json else csv_parts)(_every(found, guessed)):
                click.echo(part, nl=False)
        else:
            _show(found, guessed, limit, markdown=markdown)


def _import(imports: tuple[Path, ...], sources: tuple[Path, ...], device: str | None) -> None:
    from bench.store.intake import bring_in
    from bench.store.store import Store

    if len(sources) > 1:
        raise BadInput("Import into one store at a time: name no more than that one.")
    path = sources[0] if sources else store_place()
    with summing_up() as progress, Store.at(path, progress=progress) as store:
        for place in imports:
            added = bring_in(store, place, device)
            click.echo(f"{place}: {added} new, in {store.path}.", err=True)
        for sentence in store.problems:
            click.echo(f"secateur: {sentence}", err=True)


def _guessed(found: Selection, profile: str) -> list[Row]:
    from bench.estimates import estimates

    guessed = estimates(found.at_hand(), profile)
    click.echo(guessed.about, err=True)
    return guessed.rows


def _every(found: Selection, guessed: list[Row]) -> Iterator[Row]:
    yield from (one.row for one in found.rows())
    yield from guessed


def _show(found: Selection, guessed: list[Row], limit: int, *, markdown: bool) -> None:
    from bench import report

    count = found.count()
    rows = [one.row for one in found.rows(last=limit)]
    if markdown:
        click.echo(report.markdown([*rows, *guessed]), nl=False)
    else:
        report.show([*rows, *guessed])
    if count > len(rows):
        click.echo(
            f"Only the last {limit:,} of {count:,} rows are shown: choose with --device, --family "
            "or --method, or raise --limit; --json, --csv and --parquet have all of them.",
            err=True,
        )
