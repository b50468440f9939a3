"""`secateur methods`: the named pruning methods."""

import json
from dataclasses import asdict

import click

from prune.methods import METHODS

_FIELDS = ("score", "allocation", "structure", "schedule", "summary")


@click.command("methods", epilog="Example: secateur methods --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name to fields.")
def command(as_json: bool) -> None:
    """The pruning methods that recipes and `secateur prune` know: score × allocation × structure ×
    schedule."""
    if as_json:
        known = {
            name: asdict(method) | {"listens": method.listens, "fine_tunes": method.fine_tunes}
            for name, method in METHODS.items()
        }
        click.echo(json.dumps(known))
        return
    rows = [("name", *_FIELDS)]
    rows += [(name, *(getattr(row, key) for key in _FIELDS)) for name, row in METHODS.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
