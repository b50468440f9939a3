"""`secateur tui`: compare the variants of a run in the terminal."""

from pathlib import Path

import click


@click.command("tui", epilog="Example: secateur tui bundles/demo/results.jsonl")
@click.argument(
    "results", type=click.Path(path_type=Path), default=Path("bundles/demo/results.jsonl")
)
def command(results: Path) -> None:
    """Table and plot of RESULTS, a results.jsonl that `secateur run` wrote."""
    from tui.app import run

    run(results)
