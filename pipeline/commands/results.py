"""`secateur results`: the table of what a run measured."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command("results", epilog="Example: secateur results bundles/demo/results.jsonl --markdown")
@click.argument(
    "results", type=click.Path(path_type=Path), default=Path("bundles/demo/results.jsonl")
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
def command(results: Path, as_json: bool, markdown: bool) -> None:
    """The table of RESULTS, a results.jsonl that `secateur run` wrote."""
    from bench.results import read_results
    from bench.rows import rows_from

    rows = rows_from(read_results(results))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    from bench import report

    if markdown:
        click.echo(report.markdown(rows), nl=False)
    else:
        report.show(rows)
