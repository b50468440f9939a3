"""Puts the agent onto a device: an environment of its own and the rooms that it runs, each once.

Both lie in the device's cache folder under names that come from their content, so that two
versions of Secateur use one device side by side and nothing is ever changed under a running job.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bench
from bench.remote.answers import Installed, Ready
from bench.remote.connection import Link
from bench.remote.courier import Folder, Report, ask, digest
from bench.remote.facts import Facts
from bench.remote.requirements import device_requirements
from bench.remote.wheels import collected_wheels

ROOT = Path(bench.__file__).resolve().parents[1]

#: What the agent runs, as folders under ROOT.
ROOMS = ("device_profiles", "speech", "runtime", "bench/agent")
SUFFIXES = (".py", ".toml")
_TO_INSTALL = 3600.0  # seconds, by pip on a small board; it gives signs of life


@dataclass(frozen=True)
class Agent:
    """Where the agent is on a device."""

    python: str
    code: str


def install(link: Link, facts: Facts, code: Folder, wheels: Folder | None, report: Report) -> str:
    """The Python of an environment that has what the agent needs; minutes, the first time."""
    requirements = device_requirements()
    report("installing the agent's libraries", 0, 1)
    words = (environment_name(facts, requirements), wheels.name if wheels else "", code.name)
    data = json.dumps(requirements).encode()
    answer = ask(link, Installed, "environment", *words, data=data, seconds=_TO_INSTALL)
    report("installing the agent's libraries", 1, 1)
    return answer.python


def environment_name(facts: Facts, requirements: list[str]) -> str:
    major, minor = facts.python_version
    return f"env-{digest([*requirements, f'{major}.{minor}', facts.architecture])}"


def code_files() -> dict[str, Path]:
    """By their path under the folder that the device's Python looks in."""
    files = [ROOT / "bench" / "__init__.py"]
    for room in ROOMS:
        files += [path for path in (ROOT / room).rglob("*") if path.suffix in SUFFIXES]
    return {path.relative_to(ROOT).as_posix(): path for path in sorted(files)}


def code_folder() -> Folder:
    return Folder.of("code", code_files())


def wheels_folder(link: Link, facts: Facts, report: Report) -> Folder | None:
    """Collected now, if they are not yet; None for a device whose environment is whole."""
    requirements = device_requirements()
    if ask(link, Ready, "is_ready", environment_name(facts, requirements)).ready:
        return None
    report("collecting wheels", 0, 1)
    folder = collected_wheels(facts, requirements)
    report("collecting wheels", 1, 1)
    return Folder.of("wheels", {path.name: path for path in sorted(folder.glob("*.whl"))})
