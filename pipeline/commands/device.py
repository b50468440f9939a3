"""`secateur device`: the machines that are measured on, by name."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

import click

from bench.remote.connection import Connection
from bench.remote.devices import Device, changed_devices, find_device, new_device, read_devices
from bench.remote.doctor import Check, checks
from bench.remote.facts import Facts, facts_here, read_facts
from bench.remote.host_keys import seen_host_key, store_host_key, unknown_key_sentence
from bench.remote.refusals import UnknownHostKey
from bench.remote.work import Worker
from speech.errors import BadInput
from speech.printable import printable

_accepting = click.option(
    "--accept-host-key",
    is_flag=True,
    help="Store the key that an unknown host shows, and trust it.",
)


@click.group("device", epilog="Example: secateur device add pi pi@raspberrypi.local")
def command() -> None:
    """Name devices, and see whether they can be measured on. `this` is always there."""


@command.command("add", epilog="Example: secateur device add kitchen pi@raspberrypi.local")
@click.argument("name")
@click.argument("target", metavar="[USER@]HOST[:PORT]")
@_accepting
def add(name: str, target: str, accept_host_key: bool) -> None:
    """Reach TARGET with your own ssh, and call it NAME from now on.

    Your configuration, agent, keys and jump hosts count; nothing is ever asked.
    """
    device = new_device(name, target)
    _refuse_known(name, read_devices())
    facts = _look(device, accept_host_key)
    with changed_devices() as devices:
        _refuse_known(name, devices)  # that was quicker
        devices[name] = device
    click.echo(f"{name}: {facts.model or facts.system} ({facts.machine}), Python {facts.python}")
    for check in checks(facts):
        if check.level != "OK":
            click.echo(_line(check))


def _refuse_known(name: str, devices: Mapping[str, Device]) -> None:
    if name in devices:
        raise BadInput(
            f"There is a device {name!r} already ({devices[name]}): choose another name, or forget "
            f"that one with `secateur device remove {name}`."
        )


def _look(device: Device, accept_host_key: bool) -> Facts:
    with Connection(device) as link:
        try:
            return read_facts(link)
        except UnknownHostKey:
            key = seen_host_key(device)
            if not accept_host_key:
                raise BadInput(unknown_key_sentence(device, key)) from None
            file = store_host_key(device, key)
            click.echo(f"Host key {key.fingerprint} stored in {file}.", err=True)
        return read_facts(link)


@command.command("list", epilog="Example: secateur device list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: name to target.")
def list_(as_json: bool) -> None:
    """The devices that have a name."""
    devices = read_devices()
    if as_json:
        click.echo(json.dumps({name: str(device) for name, device in devices.items()}))
        return
    width = max(map(len, devices))
    for name, device in devices.items():
        click.echo(f"{name:<{width}}  {'the machine you are at' if device.is_this else device}")


@command.command("doctor", epilog="Example: secateur device doctor pi")
@click.argument("name")
@_accepting
@click.option("--json", "as_json", is_flag=True, help="Print the facts and the checks as JSON.")
def doctor(name: str, accept_host_key: bool, as_json: bool) -> None:
    """Can NAME be measured on, and what would falsify its numbers? With a fix for each.

    Exit code 1 if something makes measuring impossible.
    """
    device = find_device(name)
    facts = facts_here() if device.is_this else _look(device, accept_host_key)
    found = checks(facts)
    if as_json:
        table = {"facts": asdict(facts), "checks": [asdict(check) for check in found]}
        click.echo(json.dumps(table))
    else:
        for check in found:
            click.echo(_line(check))
    if any(check.level == "FAIL" for check in found):
        sys.exit(1)


@command.command("clean", epilog="Example: secateur device clean pi --all")
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="The agent and its libraries, too.")
@click.option("--json", "as_json", is_flag=True, help="Print what was freed as JSON.")
def clean(name: str, everything: bool, as_json: bool) -> None:
    """Free the disk of NAME of bundles and clips; they are sent anew when they are needed.

    Journals stay, and what jobs need that have not ended.
    """
    with Worker(find_device(name)) as worker:
        found = worker.clean(everything=everything)
    if as_json:
        click.echo(json.dumps({"device": name, **asdict(found)}))
        return
    click.echo(f"{name}: {found.freed_bytes / 2**20:.1f} MiB freed.")
    if jobs := found.open_jobs:
        click.echo(f"What jobs need that have not ended is kept: {', '.join(jobs)}.")


@command.command("remove", epilog="Example: secateur device remove kitchen")
@click.argument("name")
def remove(name: str) -> None:
    """Forget NAME. What was put onto the device stays there: `device clean` it before."""
    device = find_device(name)
    if device.is_this:
        raise BadInput("The machine you are at cannot be removed.")
    with changed_devices() as devices:
        devices.pop(name, None)
    click.echo(f"{name} is forgotten; delete ~/.cache/secateur on {device} to free its disk.")


def _line(check: Check) -> str:
    fix = f"; {check.fix}" if check.fix else ""
    return printable(f"{check.level:<4}  {check.name}: {check.said}{fix}")
