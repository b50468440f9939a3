"""Sound bundles that hostile ones begin as, and commands that are given half a minute."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from export.variant import write_variant
from runtime.bundle import HOST_ONLY, MANIFEST
from tests.export.exported import sew, whisper
from tests.hostile.variants import Hostile
from tests.pipeline.command_line import begun_secateur

#: Seconds that a command may take, also where two cores are shared by many.
PATIENCE = 30

SCORE = {
    "wer": 0.1, "wer_low": 0.05, "wer_high": 0.2, "cer": 0.1, "substitutions": 1, "insertions": 1,
    "deletions": 1, "clips": 3, "words": 20, "normalizer": "basic",
}  # fmt: skip
PROVENANCE = {"model": "m", "seed": 0, "versions": {"onnx": "1"}, "recipe": {}, "lessons": []}


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound bundle for each base, as a device has it."""
    folder = tmp_path_factory.mktemp("sound")
    write_variant(whisper()[1], folder / "packed", "int8", name="tiny-int8")
    shutil.copytree(whisper()[1].folder, folder / "whisper")
    shutil.copytree(sew()[1].folder, folder / "ctc")
    for place in folder.iterdir():
        shutil.rmtree(place / HOST_ONLY, ignore_errors=True)
        manifest = json.loads((place / MANIFEST).read_text())
        files = [file for file in manifest["files"] if not file["path"].startswith(HOST_ONLY)]
        manifest |= {"score": SCORE, "provenance": PROVENANCE, "files": files}
        (place / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def made(sound: Path, tmp_path: Path) -> Callable[[Hostile], Path]:
    """Makes the hostile bundle."""

    def make(hostile: Hostile, name: str = "hostile") -> Path:
        folder = Path(shutil.copytree(sound / hostile.base, tmp_path / name))
        hostile.edit(folder)
        return folder

    return make


def in_time(*words: str, patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """As `secateur` of the tests, and killed when it takes too long."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = begun_secateur(*words, out=out.fileno(), err=err.fileno())
        deadline, ended, status = time.monotonic() + patience, 0, 0
        while not ended and time.monotonic() < deadline:
            time.sleep(0.02)
            ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"{words} took more than {patience:g} s")
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), *texts)
