"""Which budgets go with which device, and the devices that can only be guessed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from device_profiles.machine import Machine
from device_profiles.probe import nearest_profile, profile_for
from device_profiles.profiles import Profile, load_profiles
from tui.source.records import ALL_DEVICES, OF_DEVICE, Place
from tui.tradeoffs.budgets import Limits


def measured_place(device: str, count: int, facts: Mapping[str, Any]) -> Place:
    """The budgets are those of the profile that is nearest to what the device says it is."""
    machine = _machine(facts)
    profile = nearest_profile(machine, _profiles()) or profile_for(machine)
    what = str(facts.get("model") or facts.get("cpu") or "")
    name = device or "this"
    return Place(f"{OF_DEVICE}{device}", name, "measured", what, count, Limits.of(profile.budgets))


def all_devices(measured: Sequence[Place]) -> list[Place]:
    """The place where all of them are, if there is more than one. It has no budgets of its own."""
    if len(measured) < 2:
        return []
    count = sum(place.count or 0 for place in measured)
    return [Place(ALL_DEVICES, "all devices", "measured", "", count)]


def profile_places() -> list[Place]:
    """One a board; its sizes of memory make no difference to a guess of speed."""
    return [_place(profile) for profile in _profiles() if not _is_size(profile.id)]


@cache
def _profiles() -> tuple[Profile, ...]:
    """Read once: there are many files, and many devices to find one for."""
    return tuple(load_profiles().values())


def _place(profile: Profile) -> Place:
    return Place(
        f"profile:{profile.id}",
        profile.id,
        "estimated",
        profile.name,
        limits=Limits.of(profile.budgets),
    )


def _is_size(profile_id: str) -> bool:
    last = profile_id.rpartition("-")[2]
    return last.endswith("gb") and last[:-2].isdigit()


def _machine(facts: Mapping[str, Any]) -> Machine:
    memory = facts.get("memory_mb")
    return Machine(
        model=str(facts.get("model") or ""),
        cpu=str(facts.get("cpu") or ""),
        cores=0,
        memory_mb=memory if isinstance(memory, int) else 0,
        architecture=str(facts.get("architecture") or ""),
        page_kb=0,
        instruction_sets=(),
    )
