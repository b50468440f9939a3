"""A virtual environment of our own, marked as ready when all is in it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.remote.there.places import Problem, cache, refuse_full_disk, said, write_whole

#: Marks an environment, and an agent, that is whole; written last.
READY = "ready.json"
#: Marks a virtual environment to which packages can be added, and says whether it has pip.
MADE = "made.txt"
#: What the agent's processes import between them; the last ones only once they hear something.
MODULES = (
    *("bench.agent.supervisor", "bench.agent.turn_process", "bench.agent.sampler"),
    *("runtime.recognizer", "speech.audio", "speech.decoder"),
    *("soundfile", "soxr", "numpy.fft", "numpy.ma"),
)


#: What Python, pip and the loader of libraries say of it.
OUT_OF_MEMORY = ("MemoryError", "Cannot allocate memory", "failed to map segment")
#: Lines of pip that say nothing: the head of a traceback, and what follows a log record.
EMPTY = re.compile(r"\s*(ERROR: Exception:|Arguments: \(.*\))?\s*$")


def environment(name: str, wheels: str, code: str) -> dict[str, Any]:
    """Data: a list of requirements. `wheels` is a folder of wheels, or "" to ask the device's pip.

    Wheels from the host are unpacked as they are: the host's pip chose and checked them, and a
    small board is spared pip's minutes.
    """
    requirements: list[str] = json.load(sys.stdin.buffer)
    place = cache() / name
    python = place / "bin" / "python"
    with alone(cache() / f"{name}.lock"):
        if not (place / READY).exists():
            make_venv(place, with_pip=not wheels)
            if wheels:
                unpack_wheels(cache() / wheels, place)
            else:
                install(python, requirements)
            refuse_full_disk(place)
            write_whole(place / READY, json.dumps({"requirements": requirements}))
            if wheels:
                discard(cache() / wheels)
        if not (cache() / code / READY).exists():
            compile_agent(python, cache() / code)
            write_whole(cache() / code / READY, "{}")
    return {"python": str(python)}


def is_ready(name: str) -> dict[str, Any]:
    """Whether an environment is whole, so that no wheels need be sent for it."""
    return {"ready": (cache() / name / READY).exists()}


def compile_agent(python: Path, code: Path) -> None:
    """Once, by importing it, so that no measured import compiles; it shows that the agent starts.

    Python does not notice when a full disk cuts compiled code short, so we do.
    """
    for folder in code.rglob("__pycache__"):
        shutil.rmtree(folder)
    done = finished([str(python), "-c", f"import {', '.join(MODULES)}"], PYTHONPATH=str(code))
    refuse_full_disk(code)
    if done.returncode:
        raise Problem(f"the agent does not start there ({last_line(done)}): report this, please.")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other host does the same: whoever comes second finds it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv(place: Path, *, with_pip: bool) -> None:
    """Anew, unless one is there to which only packages may be lacking."""
    if said(place / MADE) == ("pip" if with_pip else "bare"):
        return
    shutil.rmtree(place, ignore_errors=True)
    words = [sys.executable, "-m", "venv", *([] if with_pip else ["--without-pip"]), str(place)]
    done = finished(words)
    if done.returncode:
        raise Problem(
            f"{sys.executable} cannot make a virtual environment ({last_line(done)}): "
            "sudo apt install python3-venv, or deploy with --offline."
        )
    write_whole(place / MADE, "pip" if with_pip else "bare")


def finished(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    if done.returncode and os.strerror(errno.ENOSPC) in done.stdout + done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return done


def install(python: Path, requirements: list[str]) -> None:
    words = [str(python), "-m", "pip", "install", "--only-binary=:all:"]
    words += ["--no-input", "--disable-pip-version-check", "--quiet", *requirements]
    done = finished(words)
    if done.returncode:
        raise Problem(
            f"pip on the device could not install what the agent needs ({last_line(done)}): "
            "mend that, or deploy with --offline."
        )


def unpack_wheels(wheels: Path, place: Path) -> None:
    import zipfile  # here, because most errands unpack nothing

    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = place / "lib" / version / "site-packages"
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    for data in packages.glob("*.data"):
        for kind in ("purelib", "platlib"):
            if (data / kind).is_dir():
                shutil.copytree(data / kind, packages, dirs_exist_ok=True)


def discard(folder: Path) -> None:
    """A folder and the stored files that it links to: a memory card is small."""
    gone = {file.stat().st_ino for file in folder.iterdir()}
    shutil.rmtree(folder)
    for file in (cache() / "store").iterdir():
        if file.stat().st_ino in gone:
            file.unlink(missing_ok=True)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stderr or done.stdout
    if any(words in said for words in OUT_OF_MEMORY):
        return "memory ran out: end other programs there"
    lines = [line.strip() for line in said.strip().splitlines() if not EMPTY.match(line)]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]
