"""Nothing is sent and nothing unnamed is written: with an environment that says nothing of it.

Every process here begins with an empty environment, as a cron job or a session over SSH does.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

from bench.agent.job import Job, Plan, write_job
from bench.cases import cases_here
from bench.clips import clip_files
from runtime.settings import Settings
from speech.audio import RATE
from tests.bench.conftest import write_noises, write_tiny_bundle
from tests.test_house import ROOMS, ROOT, imported, sources
from tests.tui.measured import make_file

#: What docs/devices.md names; the last is gone again when a session ends.
DOCUMENTED = (".cache/secateur", ".local/share/secateur", ".config/secateur", "tmp/secateur-")

#: Seconds of an open session. What onnxruntime sends it sends after half a minute.
SESSION = 60


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "tmp").mkdir(parents=True)
    return tmp_path / "home"


def empty(home: Path, **environment: str) -> dict[str, str]:
    return {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }


def stray(home: Path) -> list[str]:
    """Files outside the folders that the pages name."""
    files = (path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())
    return [name for name in files if not name.startswith(DOCUMENTED)]


def job(folder: Path, samples: int) -> Path:
    bundle = write_tiny_bundle(folder / "tiny", "tiny")
    (folder / "clips").mkdir()
    files = tuple(clip_files(write_noises(folder), folder / "clips"))
    plan = Plan.exactly(samples, warm_up=1, timeout_seconds=600.0)
    (folder / "job").mkdir()
    write_job(folder / "job", Job.make(cases_here([bundle], [Settings()]), files, plan=plan))
    return folder / "job"


def measuring(folder: Path, samples: int = 4) -> list[str]:
    return ["-m", "bench.agent", "run", str(job(folder, samples))]


def transcribing(folder: Path) -> list[str]:
    bundle, clip = write_tiny_bundle(folder / "tiny", "tiny"), folder / "clip.wav"
    soundfile.write(clip, write_noises(folder)[0].samples(), RATE)
    return ["-m", "pipeline", "transcribe", str(bundle), str(clip)]


WAYS = {
    "the command": transcribing,
    "the agent": measuring,
    "the runtime as a library": lambda _: ["-c", "import runtime.session"],
    **{
        f"{room} as a library": lambda _, room=room: ["-c", f"import {room}, onnxruntime"]
        for room in ROOMS[1:]
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_in_leaves_a_stray_file(way: str, tmp_path: Path, home: Path) -> None:
    words = [sys.executable, *WAYS[way](tmp_path)]
    done = subprocess.run(words, env=empty(home), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert stray(home) == []


def test_who_wants_telemetry_keeps_it(home: Path) -> None:
    code = "import os, runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for chosen in ("0", "1"):
        environment = empty(home, ORT_DISABLE_TELEMETRY=chosen)
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == chosen


def test_every_room_switches_telemetry_off_before_it_imports_anything_else() -> None:
    """But `device_profiles`, which imports none of these libraries."""
    for room in ROOMS[1:]:
        assert imported(ROOT / room / "__init__.py") == {"speech"}, room
    libraries = {"onnxruntime", "huggingface_hub", "transformers", "mlflow", "ray"}
    assert not any(imported(path) & libraries for path in sources("device_profiles"))


# The long look: what the system was asked for, process by process.

_WRITES = re.compile(
    r'(?:open|openat|creat|mkdir|mkdirat|rename|renameat2?)\((?:AT_FDCWD, )?"([^"]*)"(.*)'
)
_ASKS = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*(?:AF_INET|nscd|resolve)")


def traced(words: Sequence[str], home: Path, seconds: float) -> tuple[set[str], list[str]]:
    """Files that were made or written by absolute name, and tries to reach another machine."""
    trace = home.parent / "trace"
    calls = "trace=network,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
    strace = ["strace", "-f", "-q", "-s", "4096", "-e", calls, "-o", str(trace)]
    ours, its = os.openpty()
    process = subprocess.Popen(
        [*strace, sys.executable, *words],
        env=empty(home, TERM="xterm-256color"),
        cwd=home.parent,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        process.wait(seconds)
        pytest.fail(f"the session ended early, with {process.returncode}")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        os.close(ours)
    written, asked = set(), []
    for line in trace.read_text(errors="replace").splitlines():
        found = _WRITES.search(line)
        if found and "= -1" not in line and ("open" not in found[0][:6] or "O_CREAT" in found[2]):
            written.add(found[1])
        if _ASKS.search(line):
            asked.append(line)
    return written, asked


def an_open_bundle(folder: Path) -> list[str]:
    bundle = write_tiny_bundle(folder / "tiny", "tiny")
    code = (
        "import sys, time; from pathlib import Path; import numpy as np; "
        "from runtime.archive import opened; from runtime.recognizer import open_recognizer\n"
        f"with opened(Path({str(bundle)!r})) as found:\n"
        "    recognizer = open_recognizer(found)\n"
        "    while True:\n"
        "        recognizer.transcribe(np.ones(16_000, np.float32)); time.sleep(1)\n"
    )
    return ["-c", code]


def an_open_app(folder: Path) -> list[str]:
    return ["-m", "pipeline", "tui", str(make_file(folder / "results.jsonl"))]


SESSIONS = {
    "a bundle on the host": an_open_bundle,
    "the app": an_open_app,
    "a job on the device": lambda folder: measuring(folder, samples=1_000_000),
}


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace to watch by")
@pytest.mark.parametrize("session", SESSIONS)
def test_an_open_session_asks_nobody_and_writes_where_it_says(
    session: str, tmp_path: Path, home: Path
) -> None:
    words = SESSIONS[session](tmp_path)
    written, asked = traced(words, home, SESSION)
    known = (
        *(str(home / name) for name in DOCUMENTED),
        str(tmp_path / "job"),
        "/dev/",
        "/proc/self/",
    )
    parents = {str(path) for name in DOCUMENTED for path in (home / name).parents}
    assert asked == []
    assert [name for name in sorted(written - parents) if not name.startswith(known)] == []
    assert stray(home) == []
