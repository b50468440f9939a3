"""`secateur tui`: find the variant to keep, in the terminal."""

from __future__ import annotations

import gc
from pathlib import Path

import click

DEMO = Path("bundles/demo/results.jsonl")


@click.command("tui", epilog="Example: secateur tui bundles/demo/results.jsonl")
@click.argument("results", type=click.Path(path_type=Path), required=False)
@click.option(
    "--sensitivity",
    "sensitivities",
    multiple=True,
    type=click.Path(path_type=Path),
    help="What `secateur sensitivity --json` printed; sensitivity*.json beside RESULTS is found.",
)
def command(results: Path | None, sensitivities: tuple[Path, ...]) -> None:
    """Look around in RESULTS: a store, or a results.jsonl that `secateur run` wrote.

    Without RESULTS it is your own store, with all that devices have sent; as long as there is
    none, the demo's results.
    """
    gc.disable()  # nothing that is imported is ever garbage, and there is much of it
    from tui.opening import run

    gc.freeze()
    gc.enable()
    run(results or _own_results(), sensitivities)


def _own_results() -> Path:
    """Only where nothing is stored yet is it the demo: a store that is broken is to be heard of."""
    from bench.remote.journal_copy import data_folder
    from pipeline.commands.chosen_results import filled_store, store_place, summing_up

    has_own = store_place().exists() or any((data_folder() / "jobs").glob("*/*/journal.jsonl"))
    if not has_own and DEMO.exists():
        return DEMO
    with summing_up() as progress:
        return filled_store(progress)
