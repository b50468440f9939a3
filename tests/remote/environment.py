"""What an earlier deploy would have left: an environment of links to packages, and the agent."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from bench.remote.deploy import code_files, code_folder, environment_name
from bench.remote.facts import facts_here
from bench.remote.requirements import device_requirements
from bench.remote.there.environment import READY, compile_agent


def write_environment(folder: Path) -> Path:
    """Under the name that a deploy to a device with this Python looks for."""
    name = environment_name(facts_here(), device_requirements())
    place = folder / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    [packages] = place.glob("lib/*/site-packages")
    for entry in sorted(entries(device_requirements())):
        (packages / entry.name).symlink_to(entry)
    (place / READY).write_text(json.dumps({}))
    return place


def write_agent(folder: Path, environment: Path) -> Path:
    """The rooms that a device runs, compiled, under the name that a deploy looks for."""
    place = folder / code_folder().name
    for path, file in code_files().items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / path)
    compile_agent(environment / "bin" / "python", place)
    (place / READY).write_text("{}")
    return place


def entries(requirements: list[str]) -> set[Path]:
    """What these distributions, and all that they need, have put into site-packages."""
    found: set[Path] = set()
    wanted, seen = [Requirement(text).name for text in requirements], set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                found.add(Path(str(distribution.locate_file(top))))
        for text in distribution.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return found
