"""`secateur bench`: measure bundles on this machine and on devices."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.bench_outcome import finish, refuse_output
from pipeline.commands.bench_settings import chosen_settings, settings_options
from pipeline.commands.ranges import SECONDS, SEEDS
from pipeline.progress import bars
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput

if TYPE_CHECKING:
    from bench.agent.job import Plan
    from bench.own_speech import Share
    from bench.remote.devices import Device
    from bench.remote.fleet import Begin, Outcome
    from bench.remote.work import Request, Worker
    from runtime.bundle import Bundle


class BenchGroup(click.Group):
    """`secateur bench BUNDLES…` is `secateur bench run BUNDLES…`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    "bench",
    cls=BenchGroup,
    epilog="Example: secateur bench bundles/demo/demo-sew-dense --device this,pi --threads 1,2",
)
def command() -> None:
    """Measure bundles: `secateur bench BUNDLE… --device NAME` is short for `secateur bench run`."""


def _names(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[str]:
    names = list(dict.fromkeys(name.strip() for value in values for name in value.split(",")))
    if not all(names):
        raise click.BadParameter(f"{','.join(values)!r} is no list of names, such as this,pi")
    return names


@command.command(
    "run", epilog="Example: secateur bench run bundles/demo/demo-sew-dense --device pi --count 20"
)
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=["this"],
    callback=_names,
    show_default=True,
    help="Names of devices, with commas between them; they are measured in parallel.",
)
@click.option(
    "--clips",
    help="Name or folder of a corpus [default: what each bundle was evaluated on, or else demo].",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    help="Clips of it, drawn at random [default: those that its recipe times, or else 8].",
)
@settings_options
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="Timed transcriptions of a case, exactly; or one of each clip, if those are more.",
)
@click.option("--budget", type=SECONDS, help="Seconds a case may take.")
@click.option(
    "--sustained",
    type=SECONDS,
    help="Seconds of one long run a case, to see what heat does.",
)
@click.option("--tune", is_flag=True, help="Try threads, spinning and windows; say which is best.")
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Order of cases, and clips.")
@click.option("--offline", is_flag=True, help="Send all that the agent needs, from this machine.")
@click.option("--wait", is_flag=True, help="Wait for a device that another job has.")
@click.option("--detach", is_flag=True, help="Start the jobs and do not wait for them.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the measurements as one JSON list; with --detach, device and job of each.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Add the measurements to this results.jsonl.",
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    bundles: tuple[Path, ...],
    devices: list[str],
    clips: str | None,
    count: int | None,
    samples: int | None,
    budget: float | None,
    sustained: float | None,
    tune: bool,
    seed: int,
    offline: bool,
    wait: bool,
    detach: bool,
    as_json: bool,
    output: Path | None,
    **_: object,
) -> None:
    """Measure BUNDLES on devices: speed, memory, and transcripts.

    BUNDLES are folders or .secateur files; a folder with bundles in it, as `secateur run` leaves
    it, stands for all of them. Each case is a fresh process, and cases take turns in random order.
    Bundles that were evaluated on different corpora are measured in a job each, one after another.
    Ctrl-C only ends the looking on: `secateur bench attach DEVICE` picks it up again, `secateur
    bench stop DEVICE` ends it.
    """
    from bench.own_speech import CLIPS
    from bench.remote.devices import find_device
    from bench.remote.fleet import all_at_once
    from bench.remote.work import Request
    from runtime.bundles_named import bundles_named

    targets = [find_device(name) for name in devices]
    plan = _plan(samples, budget, sustained)
    if detach and output:
        raise BadInput("--detach waits for no results: give -o to `secateur bench attach` instead.")
    refuse_output(output)
    paths = bundles_named(bundles)
    named = open_corpus(clips, limit=count or CLIPS, seed=seed) if clips else None
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        found = _opened(paths, stack)
        places, opened = list(found), list(found.values())
        for share in _shares(opened, named, count, seed):
            those = [opened[at] for at in share.bundles]
            request = Request(
                those,
                share.corpus,
                settings=chosen_settings(ctx, those, share.corpus),
                plan=plan,
                seed=seed,
                wait=wait or bool(outcomes),
                in_place=all(places[at].is_dir() for at in share.bundles),
                tune=tune,
            )
            _remember({places[at]: opened[at] for at in share.bundles})
            with _workers(targets, offline=offline) as workers:
                outcomes += all_at_once(workers, _begin(request), look_on=not detach)
            if any(outcome.detached for outcome in outcomes) and not detach:
                break
    manifests = {bundle.sha256: bundle.manifest for bundle in opened}
    left_out = len(set(paths)) - len(found)
    finish(outcomes, manifests, as_json=as_json, output=output, detach=detach, left_out=left_out)


@command.command("attach", epilog="Example: secateur bench attach pi -o results.jsonl")
@click.argument("device")
@click.argument("job", required=False)
@click.option("--offline", is_flag=True, help="Send all that the agent needs, from this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as one JSON list.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Add the measurements to this results.jsonl.",
)
def attach(device: str, job: str | None, offline: bool, as_json: bool, output: Path | None) -> None:
    """Follow a JOB of DEVICE to its end, and see its results.

    Without JOB the newest one that runs, or else has not ended: one that was stopped, by a reboot
    or by `secateur bench stop`, goes on.
    """
    from bench.remote.devices import find_device
    from bench.remote.fleet import all_at_once

    target = find_device(device)
    refuse_output(output)
    with _workers([target], offline=offline) as workers:
        outcomes = all_at_once(workers, lambda worker: worker.find(job))
    finish(outcomes, as_json=as_json, output=output)


@command.command("stop", epilog="Example: secateur bench stop pi")
@click.argument("device")
@click.argument("job", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what was stopped as JSON.")
def stop(device: str, job: str | None, as_json: bool) -> None:
    """Stop a JOB on DEVICE, whoever started it; what it has measured is kept.

    Without JOB the newest one that runs. `secateur bench attach` goes on with it.
    """
    from bench.remote.devices import find_device
    from bench.remote.work import Worker

    with Worker(find_device(device)) as worker:
        found = worker.find(job)
        stopped = worker.end(found)
    if as_json:
        click.echo(json.dumps({"device": device, "job": found.id, "stopped": stopped}))
    elif stopped:
        again = f"secateur bench attach {device} {found.id}"
        click.echo(f"{device}: job {found.id} is stopped; `{again}` goes on with it.")
    else:
        click.echo(f"{device}: job {found.id} does not run.")


def _shares(
    bundles: Sequence[Bundle], named: Corpus | None, count: int | None, seed: int
) -> list[Share]:
    """What is timed on which clips: all on those that are named, or each on its own."""
    from bench.own_speech import Share, own_speech

    if named:
        return [Share(named, range(len(bundles)))]
    shares, told = own_speech(bundles, count=count, seed=seed)
    for sentence in told:
        click.echo(f"secateur: {sentence}", err=True)
    return shares


def _begin(request: Request) -> Begin:
    return lambda worker: worker.begin(request)


def _opened(paths: Sequence[Path], stack: ExitStack) -> dict[Path, Bundle]:
    """Hashed as they are read, so that nothing damaged is sent anywhere.

    A damaged bundle is reported and left out, so that it costs no other bundle its result. Where
    none is left, or a name is of no bundle at all, nothing is measured.
    """
    from runtime.archive import holds_bundle, opened

    found: dict[Path, Bundle] = {}
    problems: list[BadInput] = []
    with bars() as report:
        for at, path in enumerate(paths):
            report("opening bundles", at, len(paths))
            try:
                found[path] = stack.enter_context(opened(path, check_hashes=True))
            except BadInput as problem:
                if not path.exists() or not holds_bundle(path):
                    raise
                problems.append(problem)
    last = None if found else problems.pop()
    for other in problems:
        click.echo(f"secateur: {other}", err=True)
    if last:
        raise last
    return found


def _remember(bundles: Mapping[Path, Bundle]) -> None:
    """What they are and where they lie, for a device knows them by folders of its own."""
    from bench.store.store import Store, default_place

    try:
        with Store.at(default_place()) as store:
            for path, bundle in bundles.items():
                if path.is_dir():
                    store.add_bundles([(path, bundle.sha256)])
                else:
                    store.add_bundle(bundle)
    except BadInput as problem:
        click.echo(f"secateur: {problem} (They are measured all the same.)", err=True)


def _plan(samples: int | None, budget: float | None, sustained: float | None) -> Plan:
    from bench.agent.job import Plan

    if sustained is not None and (samples is not None or budget is not None):
        raise BadInput("--sustained says itself how long: leave --samples and --budget out.")
    plan = Plan() if samples is None else Plan.exactly(samples)
    plan = replace(plan, sustained_seconds=sustained)
    return plan if budget is None else replace(plan, budget_seconds=budget)


@contextmanager
def _workers(devices: Sequence[Device], *, offline: bool) -> Iterator[list[Worker]]:
    """With a bar each on stderr, and sentences above the bars."""
    from tqdm import tqdm

    from bench.remote.work import Worker

    def sentences(name: str) -> Callable[[str], None]:
        return lambda line: tqdm.write(f"{name}: {line}", file=sys.stderr)

    with ExitStack() as stack:
        yield [
            Worker(
                device,
                report=stack.enter_context(bars(f"{device.name}: ")),
                say=sentences(device.name),
                offline=offline,
            )
            for device in devices
        ]
