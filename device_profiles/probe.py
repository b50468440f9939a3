"""Which device is this? The profile nearest to what the machine says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from device_profiles.machine import Machine
from device_profiles.profiles import PROFILE_FOLDER, Profile, load_profile, load_profiles
from device_profiles.reading import this_machine

THIS = "this"


def nearest_profile(machine: Machine, profiles: Iterable[Profile]) -> Profile | None:
    """The profile whose `detect` names this machine, in the smallest size that holds its memory.

    The kernel reports a little less memory than is soldered on, never more, so the nominal size
    is the next one up. None where no profile names it: the caller chooses a generic one.
    """
    named = [profile for profile in profiles if _is_named(machine, profile)]
    roomy = [profile for profile in named if profile.memory_mb >= machine.memory_mb]
    if roomy:
        return min(roomy, key=lambda profile: profile.memory_mb)
    return max(named, key=lambda profile: profile.memory_mb, default=None)


def profile_for(machine: Machine, folder: Path = PROFILE_FOLDER) -> Profile:
    """The nearest profile, or the generic one of the machine's architecture."""
    profiles = load_profiles(folder)
    found = nearest_profile(machine, profiles.values())
    generic = "generic-x86-64" if machine.architecture in ("x86_64", "i686") else "generic-arm64"
    return found or load_profile(generic, folder)


def this_profile() -> Profile:
    """The profile `this`: the nearest one's budgets, with the facts this machine reports itself."""
    machine = this_machine()
    return described(machine, profile_for(machine))


def described(machine: Machine, nearest: Profile) -> Profile:
    """The profile with what the machine knows better of itself; unknown facts stay as they were."""
    name = machine.model or machine.cpu
    return replace(
        nearest,
        id=THIS,
        name=f"this machine ({name})" if name else "this machine",
        cpu=machine.cpu or nearest.cpu,
        cores=machine.cores,
        architecture=machine.architecture,
        instruction_sets=machine.instruction_sets or nearest.instruction_sets,
        memory_mb=machine.memory_mb or nearest.memory_mb,
        page_kb=machine.page_kb,
        threads=min(nearest.threads, machine.cores),
    )


def find_profile(identifier: str) -> Profile:
    """`this` or any profile id; raises ProfileError naming the nearest id for an unknown one."""
    return this_profile() if identifier == THIS else load_profile(identifier)


def _is_named(machine: Machine, profile: Profile) -> bool:
    """Whole words only: "Apple M1" is not the beginning of "Apple M10"."""
    return any(
        f"{text} ".startswith(f"{prefix} ")
        for prefix in profile.detect
        for text in (machine.model, machine.cpu)
    )
