"""Which measurements `secateur results` and `secateur report` are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.sources import Findings

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


def chosen_results(
    sources: Sequence[Path],
    devices: Sequence[str],
    families: Sequence[str],
    methods: Sequence[str],
    folders: Sequence[Path],
    *,
    everything: bool,
) -> Findings:
    """Of SOURCES, or of the store with what devices have sent; BadInput where there is nothing."""
    from bench.sources import Findings, chosen, newest, read_sources

    found = read_sources(sources or [filled_store()], folders)
    for sentence in found.problems:
        click.echo(f"secateur: {sentence}", err=True)
    if not sources and not found.measurements:
        raise _nothing_stored(store_place())
    measurements = found.measurements if everything else newest(found.measurements)
    measurements = chosen(measurements, devices=devices, families=families, methods=methods)
    return Findings(measurements, found.bundles, found.manifests)


def store_place() -> Path:
    from bench.store.store import default_place

    return default_place()


def filled_store() -> Path:
    """The user's own, after whatever came from devices was imported."""
    from bench.remote.journal_copy import data_folder
    from bench.store.intake import take_in
    from bench.store.store import Store

    path, data = store_place(), data_folder()
    if not path.exists() and not any((data / "jobs").glob("*/*/journal.jsonl")):
        raise _nothing_stored(path)
    with Store.at(path) as store:
        take_in(store, data, lambda line: click.echo(f"secateur: {line}", err=True))
    return path


def _nothing_stored(path: Path) -> BadInput:
    return BadInput(
        f"Nothing is stored in {path} yet: `secateur bench BUNDLE` measures, or name a "
        "results.jsonl."
    )
