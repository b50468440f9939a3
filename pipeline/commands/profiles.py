"""`secateur profiles`: the devices we know, and which one this is."""

import json
from dataclasses import asdict

import click

from device_profiles.probe import this_profile
from device_profiles.profiles import load_profiles


@click.command("profiles", epilog="Example: secateur profiles --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: id to profile.")
def command(as_json: bool) -> None:
    """Known devices with their budgets; `this` is the machine you are sitting at."""
    profiles = {"this": this_profile(), **load_profiles()}
    if as_json:
        click.echo(json.dumps({name: asdict(profile) for name, profile in profiles.items()}))
        return
    width = max(map(len, profiles))
    for name, profile in profiles.items():
        budgets = profile.budgets
        click.echo(
            f"{name:<{width}}  {profile.name}: {profile.cores} cores, {profile.memory_mb} MiB; "
            f"start with {profile.recommended_precision} on {profile.threads} threads; "
            f"budget RTF {budgets.real_time_factor:g}, {budgets.memory_mb} MiB memory, "
            f"{budgets.size_mb} MiB on disk, {budgets.wer_loss_points:g} points of WER"
        )
