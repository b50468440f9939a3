"""Published checkpoints and real speech, which lie beside the project where they are at all.

`../shared/real` has the speech, and scripts that make checkpoints of packages from the Python
index. They are made once, in SECATEUR_REAL or the user's cache.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "secateur-tests"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Speech and scripts."""
    places = [folder / "shared" / "real" for folder in ROOT.parents]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        pytest.skip("there is no ../shared/real with real speech and scripts for checkpoints")
    return found


def _made(shared: Path, script: str, model: str, folder: str) -> Path:
    place = Path(os.environ.get("SECATEUR_REAL") or _CACHE / "real")
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / ".lock"):
        if not (place / folder / "model.safetensors").is_file():
            words = [sys.executable, str(shared / script), str(place), model]
            done = subprocess.run(words, capture_output=True, text=True)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                pytest.skip(f"{folder} cannot be made here: {' '.join(reason)}")
    return place / folder


@pytest.fixture(scope="session")
def whisper_tiny(shared: Path) -> Path:
    """Not to be written to."""
    return _made(shared, "whisper_checkpoints.py", "tiny.en", "whisper-tiny.en")
