"""`secateur run`: everything a recipe asks for."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.progress import bars
from pipeline.recipe import read_recipe
from speech.errors import BadInput


@click.command("run", epilog="Example: secateur run recipes/demo.toml")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows of the table as JSON.")
def command(recipe: Path, device: str, as_json: bool) -> None:
    """Prune, score, export and measure what RECIPE says; what is done already is not done again."""
    content = read_recipe(recipe)

    from bench.report import show
    from pipeline.run import run

    with bars() as report:
        outcome = run(
            content, report=report, say=lambda line: click.echo(line, err=True), device=device
        )
    if as_json:
        click.echo(json.dumps([asdict(row) for row in outcome.rows]))
    elif outcome.rows:
        show(outcome.rows)
        click.echo(
            f"{outcome.built} bundles built, {outcome.measured} measured; "
            f"bundles and results.jsonl are in {outcome.results.parent}."
        )
        click.echo(f"Look around in them: secateur tui {outcome.results}")
    if outcome.missing:
        raise BadInput(
            f"Not made, for reasons given above: {', '.join(outcome.missing)}. "
            "All else that the recipe asks for is there."
        )
