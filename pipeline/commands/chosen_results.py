"""Which measurements `secateur results` and `secateur report` are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.progress import bars
from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.sources import Selection

Command = TypeVar("Command", bound=Callable[..., Any])


def filters(command: Command) -> Command:
    """The options that both commands have."""
    for option in (
        click.option(
            "--all", "everything", is_flag=True, help="Also what was measured anew since."
        ),
        click.option("--method", "methods", multiple=True, help="Only this pruning method."),
        click.option("--family", "families", multiple=True, help="Only this family of models."),
        click.option("--device", "devices", multiple=True, help="Only this device."),
        click.option(
            "--bundles",
            "folders",
            multiple=True,
            type=click.Path(path_type=Path),
            help="A folder with the bundles that were measured, if they are elsewhere by now.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def chosen_results(
    sources: Sequence[Path],
    devices: Sequence[str],
    families: Sequence[str],
    methods: Sequence[str],
    folders: Sequence[Path],
    *,
    everything: bool,
) -> Iterator[Selection]:
    """Of SOURCES, or of the store with what devices have sent; BadInput where there is nothing.

    A folder of a run stands for its results, and has the bundles that they are of.
    """
    from bench.run_folder import results_in
    from bench.sources import open_selection
    from bench.store.summaries import Filter

    folders = [*folders, *(path for path in sources if path.is_dir())]
    sources = [results_in(path) for path in sources]
    chosen = Filter(devices, families, methods, newest=not everything)
    with summing_up() as progress:
        paths = sources or [filled_store(progress)]
        with open_selection(paths, folders, chosen, progress) as found:
            _tell(found.problems)
            if not sources and found.is_empty():
                raise _nothing_stored(store_place())
            found.check()
            told = len(found.problems)
            yield found
            _tell(found.problems[told:])


def _tell(problems: Sequence[str]) -> None:
    for sentence in problems:
        click.echo(f"secateur: {sentence}", err=True)


@contextmanager
def summing_up() -> Iterator[Callable[[int, int], None]]:
    """A bar for what is done once with a store of an older version."""
    with bars() as report:
        yield partial(report, "summing up what is stored, once")


def store_place() -> Path:
    from bench.store.store import default_place

    return default_place()


def filled_store(progress: Callable[[int, int], None]) -> Path:
    """The user's own, after whatever came from devices was imported."""
    from bench.remote.journal_copy import data_folder
    from bench.store.intake import take_in
    from bench.store.store import Store

    path, data = store_place(), data_folder()
    if not path.exists() and not any((data / "jobs").glob("*/*/journal.jsonl")):
        raise _nothing_stored(path)
    with Store.at(path, progress=progress) as store:
        take_in(store, data, lambda line: click.echo(f"secateur: {line}", err=True))
    return path


def _nothing_stored(path: Path) -> BadInput:
    return BadInput(
        f"Nothing is stored in {path} yet: `secateur bench BUNDLE` measures, or name a "
        "results.jsonl."
    )
