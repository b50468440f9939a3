"""`secateur run`: everything a recipe asks for."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.kept import of_fine_tuning, saying_what_is_kept
from pipeline.recipe import read_recipe
from prune.training_plan import STATE
from speech.counted import counted
from speech.errors import BadInput

if TYPE_CHECKING:
    from pipeline.events import Hear
    from pipeline.run import Executor, Outcome


@click.command("run", epilog="Example: secateur run recipes/demo.toml --only '*-obs-*' --dry-run")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where bundles are made: on this machine, or as tasks of a Ray cluster.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="The Ray cluster [default: RAY_ADDRESS, one on this machine, or one begun for the run].",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes side by side [default: what processor and memory bear].",
)
@click.option(
    "--gpus",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="GPUs of this machine that share each fine-tuning.",
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Only bundles with such a name.")
@click.option("--force", is_flag=True, help="Make them anew, though they are there.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and what it would take.")
@click.option("--tensorboard", metavar="FOLDER", help="Log each bundle there for TensorBoard.")
@click.option("--mlflow", metavar="URI", help="Log each bundle as a run of that MLflow server.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows of the table as JSON.")
@click.option("--jsonl", is_flag=True, help="Print what happens, as it happens, a JSON line each.")
def command(
    recipe: Path,
    device: str,
    executor: Executor,
    ray_address: str | None,
    workers: int | None,
    gpus: int,
    only: tuple[str, ...],
    force: bool,
    dry_run: bool,
    tensorboard: str | None,
    mlflow: str | None,
    as_json: bool,
    jsonl: bool,
) -> None:
    """Prune, score, export and measure what RECIPE says; what is done already is not done again."""
    content = read_recipe(recipe)
    if as_json and jsonl:
        raise BadInput("--json and --jsonl both write to standard output: choose one of them.")
    if ray_address and executor != "ray":
        raise BadInput("--ray-address is for --executor ray: add that, or leave the address out.")
    with (
        saying_what_is_kept(lambda: _kept(Path(content.output))),
        _told(jsonl and not dry_run) as hear,  # also while the libraries are loaded
    ):
        from pipeline.logs import logging
        from pipeline.run import Way, run

        way = Way(device, executor, workers, only, force, ray_address=ray_address, gpus=gpus)
        if dry_run:
            from pipeline.forecast import forecast

            plan = forecast(content, way)
        else:
            text, typed = (
                recipe.read_text(encoding="utf-8"),
                shlex.join(["secateur", *sys.argv[1:]]),
            )
            with logging(hear, content, tensorboard, mlflow) as hearing:
                outcome = run(content, way, hear=hearing, text=text, typed=typed)
    if dry_run:
        from pipeline.forecast import lines

        click.echo(json.dumps(asdict(plan)) if as_json or jsonl else "\n".join(lines(plan)))
        return
    if as_json:
        click.echo(json.dumps([asdict(row) for row in outcome.rows]))
    elif not jsonl:
        _show(outcome)
    _complain(outcome)


def _kept(output: Path) -> str:
    learnt = of_fine_tuning(path for name in STATE for path in output.glob(f".*.work/{name}"))
    return (
        f"finished bundles are kept in {output}{f', {learnt}' if learnt else ''}, and the same "
        "command resumes there"
    )


@contextmanager
def _told(jsonl: bool) -> Iterator[Hear]:
    from pipeline.run_progress import shown

    if not jsonl:
        with shown() as hear:
            yield hear
        return
    from pipeline.events import to_json

    yield lambda event: click.echo(to_json(event))


def _show(outcome: Outcome) -> None:
    if outcome.rows:
        from bench.report import show

        show(outcome.rows)
    click.echo(
        f"{counted(outcome.built, 'bundle')} built, {outcome.measured} measured; "
        f"bundles and results.jsonl are in {outcome.results.parent}."
    )
    if outcome.unreachable:
        click.echo(f"Out of reach, for reasons given above: {', '.join(outcome.unreachable)}.")
    report = outcome.results.with_name("report.html")
    if outcome.rows and report.exists():
        click.echo(f"The report is {report}; look around: secateur tui {outcome.results}")


def _complain(outcome: Outcome) -> None:
    complaints = []
    if outcome.missing:
        complaints.append(
            f"Not made, for reasons given above: {', '.join(outcome.missing)}. "
            "All else that the recipe asks for is there."
        )
    if outcome.unmeasured:
        complaints.append(
            f"Not measured on {', '.join(outcome.unmeasured)}, for reasons given above: "
            "the same command goes on with it."
        )
    if outcome.failed:
        complaints.append(
            f"Not measured, for reasons given above: {', '.join(outcome.failed)}. "
            "The same command tries again; with --only NAME --force it makes the bundle anew first."
        )
    if complaints:
        raise BadInput(" ".join(complaints))
