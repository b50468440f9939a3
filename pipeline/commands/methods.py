"""`secateur methods`: the named pruning methods."""

import json

import click

from prune.names import METHOD_SUMMARIES


@click.command("methods", epilog="Example: secateur methods --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name to summary.")
def command(as_json: bool) -> None:
    """The pruning methods that recipes and `secateur prune` know, one line each."""
    if as_json:
        click.echo(json.dumps(METHOD_SUMMARIES))
        return
    width = max(map(len, METHOD_SUMMARIES))
    for name, summary in METHOD_SUMMARIES.items():
        click.echo(f"{name:<{width}}  {summary}")
