"""`secateur recipe`: check, explain, begin and import recipes."""

import json
import re
import sys
import tomllib
from pathlib import Path

import click

from pipeline.recipe import Recipe, read_recipe
from pipeline.recipe.reading import BadRecipe
from runtime.whole_folder import whole_file
from speech.errors import BadInput

_FILE = click.Path(path_type=Path)
_output = click.option("-o", "--output", type=_FILE, help="File to write [standard output].")


@click.group("recipe", epilog="Example: secateur recipe check recipes/demo.toml")
def command() -> None:
    """Check and explain recipes, and write new ones; docs/recipes.md has all that they may say."""


@command.command("check", epilog="Example: secateur recipe check recipes/demo.toml")
@click.argument("files", nargs=-1, required=True, type=_FILE)
def check(files: tuple[Path, ...]) -> None:
    """Say what is wrong with recipes, one sentence for each fault; ends with 2 if there is any.

    Asks no network. A note is no fault: it says what only a run can tell, or what is of no use.
    """
    faulty = 0
    for file in files:
        try:
            recipe = read_recipe(file)
            faults, notes = _found(recipe, file)
        except BadInput as error:
            faults, notes = error.sentences if isinstance(error, BadRecipe) else [str(error)], []
        for line in faults:
            click.echo(line, err=True)
        for line in notes:
            click.echo(f"Note: {line}")
        if not faults:
            click.echo(f"{file} is good: {_summary(recipe)}.")
        faulty += bool(faults)
    if faulty:
        sys.exit(2)


def _found(recipe: Recipe, file: Path) -> tuple[list[str], list[str]]:
    from pipeline.recipe.check import findings

    found = findings(recipe)
    return [f"{file}: {fault}." for fault in found.faults], [f"{note}." for note in found.notes]


def _summary(recipe: Recipe) -> str:
    from pipeline.plan import cells

    count = len(cells(recipe))
    return f"{count} bundle{'s' * (count != 1)} in {recipe.output}"


@command.command("explain", epilog="Example: secateur recipe explain recipes/demo.toml --json")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def explain(file: Path, as_json: bool) -> None:
    """Say what a recipe will do: its bundles, and what each is made from."""
    recipe = read_recipe(file)

    from pipeline.recipe.explanation import explained, text_of

    record = explained(recipe)
    click.echo(json.dumps(record) if as_json else "\n".join(text_of(record)))


@command.command("new", epilog="Example: secateur recipe new mine --model demo-sew")
@click.argument("name", required=False)
@click.option("--model", default="demo-whisper", show_default=True, help="Folder or hub name.")
@click.option("--corpus", default="demo:test", show_default=True, help="What to score on.")
@_output
def new(name: str | None, model: str, corpus: str, output: Path | None) -> None:
    """Write a recipe to start from, with comments. NAME is FILE's, or the model's, unless said."""
    from pipeline.recipe.starting import Start

    chosen = name or _name_from(output or Path(model))
    _write(Start(chosen, [model], corpus).text(), output, blame="The recipe")


@command.command("import", epilog="Example: secateur recipe import CONFIG.json -o mine.toml")
@click.argument("config", type=_FILE)
@_output
def import_(config: Path, output: Path | None) -> None:
    """Make a recipe of a JSON configuration with model, pruning, evaluation and hardware sections.

    What has no counterpart is said by name, and stands in a comment of the recipe.
    """
    from pipeline.recipe.amptalk import imported

    text, left = imported(config, _name_from(output or config))
    _write(text, output, blame=f"The recipe that {config} makes")
    for line in left:
        click.echo(f"Left out: {line}.", err=True)


@command.command("reference", epilog="Example: secateur recipe reference -o recipes.md")
@_output
def reference(output: Path | None) -> None:
    """Write the page of all that a recipe may say."""
    from pipeline.recipe.reference import reference as text

    if output is None:
        click.echo(text(), nl=False)
        return
    with whole_file(output, replace=True) as file:
        file.write(text().encode())


def _name_from(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "study"


def _write(text: str, output: Path | None, *, blame: str) -> None:
    """Only a recipe that is good is written, and never over another one."""
    from pipeline.recipe.check import findings
    from pipeline.recipe.reading import recipe_of

    found = findings(recipe_of(tomllib.loads(text), blame))
    if found.faults:
        raise BadInput(f"{blame}: {found.faults[0]}.")
    if output is None:
        click.echo(text, nl=False)
        return
    with whole_file(output) as file:
        file.write(text.encode())
    click.echo(f"{output} is a recipe to start from: secateur recipe explain {output}", err=True)
