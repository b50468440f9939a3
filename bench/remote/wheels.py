"""Wheels for a device without internet: chosen on the host for the device's Python and system."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.agent.locks import cache_folder
from bench.remote.facts import Facts
from runtime.whole_folder import written_whole
from speech.errors import BadInput

#: The first C library whose version a wheel's name can say, by architecture.
_FIRST_GLIBC = {"x86_64": 5, "aarch64": 17}


def collected_wheels(facts: Facts, requirements: Sequence[str]) -> Path:
    """A folder with all wheels that the requirements need on the device; collected once."""
    options = _options(facts)
    key = hashlib.sha256("\n".join([*options, *requirements]).encode()).hexdigest()[:16]
    folder = cache_folder() / "wheels" / key
    if not folder.is_dir():
        with written_whole(folder) as place:
            _download([*options, "--dest", str(place), *requirements])
    return folder


def platforms(facts: Facts) -> list[str]:
    """Every platform tag that the device can load, the newest first."""
    if facts.system == "Darwin":
        major = (facts.macos or "11").split(".")[0]
        return [f"macosx_{major}_0_{facts.architecture}"]
    newest = int((facts.glibc or "2.28").partition(".")[2].partition(".")[0] or 0)
    first = _FIRST_GLIBC.get(facts.architecture, 17)
    versions = [f"manylinux_2_{minor}" for minor in range(newest, first - 1, -1)]
    return [f"{name}_{facts.architecture}" for name in (*versions, "manylinux2014")]


def _options(facts: Facts) -> list[str]:
    major, minor = facts.python_version
    wanted = {
        "--implementation": ["cp"],
        "--python-version": [f"{major}.{minor}"],
        "--abi": [f"cp{major}{minor}", "abi3", "none"],
        "--platform": platforms(facts),
    }
    return [
        word for option, values in wanted.items() for value in values for word in (option, value)
    ]


def _download(words: Sequence[str]) -> None:
    call = [sys.executable, "-m", "pip", "download", "--only-binary=:all:", "--no-input", "--quiet"]
    done = subprocess.run(
        [*call, "--disable-pip-version-check", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        errors = [line for line in lines if line.startswith("ERROR")]
        raise BadInput(
            f"pip could not collect the wheels for the device ({(errors or lines)[-1]}): mend it, "
            "or let the device install them itself, without --offline."
        )
