"""What `secateur bench` shows and keeps of its outcomes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.results import read_results, write_results
from bench.rows import rows_from
from bench.tuning import best
from pipeline.commands.bench_settings import TRAINED
from runtime.beside import alone_in
from runtime.whole_folder import full_disk_is_bad_input, refuse_unwritable
from speech.counted import counted
from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.agent.measurement import Measurement
    from bench.remote.fleet import Outcome
    from runtime.bundle import Manifest


def refuse_output(output: Path | None) -> None:
    """What nothing can be added to is told before anything is measured for it."""
    if output:
        refuse_unwritable(output, into=output.absolute().parent)
        if output.exists():
            read_results(output)


def finish(
    outcomes: Sequence[Outcome],
    manifests: Mapping[str, Manifest] | None = None,
    *,
    as_json: bool,
    output: Path | None,
    detach: bool = False,
    left_out: int = 0,
) -> None:
    """Keep and print what was measured; then raise BadInput for what was not.

    `left_out` is of how many bundles it was reported before that they cannot be opened.
    """
    measurements = [found for outcome in outcomes for found in outcome.measurements]
    unkept = _unkept(output, measurements) if output and measurements else []
    if as_json and detach:
        jobs = [{"device": one.device, "job": one.job.id} for one in outcomes if one.job]
        click.echo(json.dumps(jobs))
    elif as_json:
        rows = rows_from(measurements, manifests)
        marked = zip(measurements, rows, strict=True)
        click.echo(
            json.dumps([asdict(found) | {"verdicts": row.verdicts} for found, row in marked])
        )
    elif measurements:
        from bench.report import show

        show(rows_from(measurements, manifests))
    for outcome in outcomes:
        if outcome.job and outcome.job.tune and outcome.measurements:
            _tell_best(outcome)
        if outcome.detached:
            click.echo(_where_to_look(outcome), err=True)
    if any(outcome.detached for outcome in outcomes) and not detach:
        sys.exit(130)  # Ctrl-C
    complaints = dict.fromkeys(_problem(outcome) for outcome in outcomes if outcome.problem)
    missing = [f"{counted(left_out, 'bundle')} could not be opened."] if left_out else []
    if said := [*missing, *_failures(outcomes), *complaints, *unkept]:
        raise BadInput(" ".join(said))


def _unkept(output: Path, measurements: Sequence[Measurement]) -> list[str]:
    """Why they could not be added; they are shown all the same, and in the store."""
    try:
        with full_disk_is_bad_input(str(output)):
            _add(output, measurements)
    except BadInput as problem:
        return [f"{problem} (`secateur results` has them.)"]
    return []


def _add(output: Path, measurements: Sequence[Measurement]) -> None:
    """After those that are there; a job that was looked at before takes its old place's turn."""
    jobs = {measurement.job for measurement in measurements}
    output.absolute().parent.mkdir(parents=True, exist_ok=True)
    with alone_in(output.absolute().parent):  # another command may add to it, too
        there = read_results(output) if output.exists() else []
        kept = [measurement for measurement in there if measurement.job not in jobs]
        write_results(output, [*kept, *measurements])


def _tell_best(outcome: Outcome) -> None:
    choice = best(outcome.measurements)
    if choice is None:
        return
    settings = ", ".join(f"{key} {_typed(value)}" for key, value in choice.settings.items())
    tie = (
        f" The latencies of {choice.tied} of them overlap, which is a tie; this one takes the "
        "fewest bytes, threads and settings."
        if choice.tied > 1
        else ""
    )
    click.echo(
        f"{outcome.device}: best of {choice.tried} is {choice.bundle} with {settings}: "
        f"{1000 * choice.seconds:.1f} ms a clip.{tie}",
        err=True,
    )


def _typed(value: object) -> str:
    """As the options of `secateur bench` have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return TRAINED if value is None else str(value)


def _where_to_look(outcome: Outcome) -> str:
    if outcome.job is None:
        if outcome.asked is None:
            return f"{outcome.device}: nothing was started."
        ending = f"`secateur bench stop {outcome.device} {outcome.asked.id}`"
        return f"{outcome.device}: job {outcome.asked.id} may have been started; {ending} ends it."
    return f"{outcome.device}: job {outcome.job.id} goes on; {_attach(outcome)} follows it."


def _attach(outcome: Outcome) -> str:
    assert outcome.job
    return f"`secateur bench attach {outcome.device} {outcome.job.id}`"


def _failures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A bundle is named once a device, however many of its settings failed."""
    failed = [
        f"{found.name} on {outcome.device}"
        for outcome in outcomes
        for found in outcome.measurements
        if found.error
    ]
    cases = sum(len(outcome.measurements) for outcome in outcomes)
    if failed:
        yield (
            f"{len(failed)} of {counted(cases, 'case')} could not be measured "
            f"({', '.join(dict.fromkeys(failed))}): the reasons are beside the results."
        )


def _problem(outcome: Outcome) -> str:
    assert outcome.problem
    if outcome.job is None:
        return outcome.problem
    return f"{outcome.problem} ({_attach(outcome)} goes on with the job.)"
