"""The command as a process: how it ends when it is ended, and when something goes wrong."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bench.results import write_results
from runtime.archive import pack
from tests.bench.conftest import write_tiny_bundle
from tests.pipeline.command_line import NOWHERE, assert_one_line, planted_secateur
from tests.pipeline.conftest import WriteRecipe
from tests.tui.measured import make_file, measurement

COMMAND = [sys.executable, "-m", "pipeline"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files, of this test alone."""
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def environment(temporary: Path, **more: str) -> dict[str, str]:
    return {**os.environ, **NOWHERE, "TMPDIR": str(temporary), **more}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_finds_no_temporary_folder(
    number: signal.Signals, tmp_path: Path, temporary: Path
) -> None:
    """It waits for sound, with an archive unpacked for as long as that takes."""
    archive = tmp_path / "tiny.secateur"
    pack(write_tiny_bundle(tmp_path / "tiny", "tiny"), archive)
    process = subprocess.Popen(
        [*COMMAND, "transcribe", str(archive), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(temporary),
    )
    deadline = time.monotonic() + 60
    while not [*temporary.glob("secateur-*/**/*.onnx")] and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, "")
    assert_one_line(complained, "stopped")
    assert [*temporary.iterdir()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["click", "difflib", "pipeline.commands.results", "bench.rows"])
def test_an_interrupt_amid_an_import_is_one_line(
    name: str, number: signal.Signals, tmp_path: Path
) -> None:
    """Of what is imported before the command, for it, and by it."""
    file = tmp_path / "results.jsonl"
    write_results(file, [measurement("one", "obs", 0.5, 0.1, 10.0)])
    code = (
        "import os, sys\n"
        "class Interrupter:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == {name!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Interrupter())"
    )
    done = planted_secateur(code, "results", str(file))
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert_one_line(done.stderr, "secateur: stopped; ")


def test_what_was_ignored_stays_so() -> None:
    """As after nohup, and of what a shell runs in the background."""
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + (
        "import pipeline.commands.methods as m; f = m.command.callback\n"
        "import os\n"
        "def interrupted(**k): os.kill(os.getpid(), signal.SIGINT); f(**k)\n"
        "m.command.callback = interrupted"
    )
    assert planted_secateur(code, "methods").returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_leave_no_temporary_folder_either(
    number: signal.Signals, temporary: Path, write_recipe: WriteRecipe
) -> None:
    path = write_recipe(["sew", "whisper"], 'prune = { methods = ["obs"], sparsities = [0.5] }\n')
    process = subprocess.Popen(
        [*COMMAND, "run", str(path), "--workers", "2", "--jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(temporary),
    )
    deadline = time.monotonic() + 120
    while not [*temporary.glob("secateur-*/secateur-*")] and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in complained
    assert [*temporary.glob("secateur-*")] == []


def test_an_interrupt_where_python_cannot_raise_is_not_lost() -> None:
    """As in the callbacks of its import, where it prints a traceback and goes on."""
    code = (
        "import os, signal, time\n"
        "import pipeline.commands.methods as methods\n"
        "class Gone:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGINT)\n"
        "def fault(**_):\n"
        "    gone = Gone(); del gone; time.sleep(30)\n"
        "methods.command.callback = fault"
    )
    done = planted_secateur(code, "methods")
    assert done.returncode == 130
    assert_one_line(done.stderr, "stopped")


@pytest.mark.long
def test_ctrl_c_at_any_moment_of_the_first_third_of_a_second(tmp_path: Path) -> None:
    """From the first line of ours on: Python's own start answers as it likes."""
    file = tmp_path / "results.jsonl"
    write_results(file, [measurement("one", "obs", 0.5, 0.1, 10.0)])
    code = (
        f"import os, sys, pipeline.cli; sys.argv = ['secateur', 'results', {str(file)!r}]\n"
        "os.write(1, b'begun'); pipeline.cli.main()"
    )
    for moment in range(5, 350, 10):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout and process.stdout.read(5) == "begun"
        time.sleep(moment / 1000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT)
        assert "Traceback" not in said


# The last net


PLANTED = """
import pipeline.commands.methods as methods
def fault(**_): raise KeyError("pl\\x1banted")
methods.command.callback = fault
"""


def saved(said: str) -> str:
    found = re.search(r"report it, with (\S+\.txt)\.$", said.strip())
    assert found, said
    return Path(found[1]).read_text()


def test_what_nobody_foresaw_is_one_sentence_and_a_file(tmp_path: Path, temporary: Path) -> None:
    done = planted_secateur(PLANTED, "methods", SECATEUR_CACHE=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (70, "")
    assert_one_line(done.stderr, "KeyError", str(tmp_path / "cache" / "tracebacks"))
    assert "in fault" in saved(done.stderr) and "'methods'" in saved(done.stderr)
    (tmp_path / "file").touch()
    done = planted_secateur(
        PLANTED, "methods", SECATEUR_CACHE=str(tmp_path / "file"), TMPDIR=str(temporary)
    )
    assert done.returncode == 70
    assert_one_line(done.stderr, str(temporary))
    assert "in fault" in saved(done.stderr)


def test_the_traceback_can_be_wanted(tmp_path: Path) -> None:
    done = planted_secateur(
        PLANTED, "methods", SECATEUR_CACHE=str(tmp_path / "cache"), SECATEUR_TRACEBACK="1"
    )
    assert done.returncode == 70
    assert "Traceback" in done.stderr and "in fault" in done.stderr and "\x1b" not in done.stderr
    assert not (tmp_path / "cache").exists()


def test_the_agent_has_it_too(tmp_path: Path) -> None:
    code = (
        "import sys, bench.agent.supervisor as supervisor\n"
        "def fault(*_, **__): raise KeyError('planted')\n"
        "supervisor.run_job = fault\n"
        "from bench.agent.__main__ import main; sys.exit(main(['run', 'job']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "SECATEUR_CACHE": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (70, "")
    [line] = done.stdout.splitlines()
    assert "in fault" in saved(json.loads(line)["error"])


class Terminal:
    """The app in a terminal of its own."""

    def __init__(self, code: str, file: Path, **more: str):
        self._ours, its = os.openpty()
        termios.tcsetwinsize(its, (40, 120))
        run = f"{code}\nimport sys; sys.argv = ['secateur', 'tui', {str(file)!r}]\n"
        run += "from pipeline.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", run],
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            env={**os.environ, **NOWHERE, "TERM": "xterm-256color", **more},
        )
        os.close(its)
        self.said = b""

    def read(self, until: bytes | None = None, seconds: float = 60) -> str:
        """As far as there is something, or up to some words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until in self.said):
            if not select.select([self._ours], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self._ours, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            self.said += piece
        return self.said.decode(errors="replace")


NORMAL_SCREEN = "\x1b[?1049l"


def after_the_app(said: str) -> str:
    before, left, after = said.rpartition(NORMAL_SCREEN)
    assert left, before[-500:]
    return re.sub(r"\x1b\[[?>=<]?[0-9;]*[a-zA-Z]", "", after).strip()


def test_the_app_gives_the_terminal_back_and_says_one_sentence(tmp_path: Path) -> None:
    code = (
        "from tui.app import SecateurApp\n"
        "def fault(self): raise KeyError('planted')\n"
        "SecateurApp._look = fault"
    )
    file = make_file(tmp_path / "results.jsonl")
    app = Terminal(code, file, SECATEUR_CACHE=str(tmp_path / "cache"))
    said = app.read()
    assert app.process.wait(30) == 70
    assert "Traceback" not in said
    assert "in fault" in saved(after_the_app(said))


def test_the_app_can_be_ended_from_outside(tmp_path: Path) -> None:
    app = Terminal("", make_file(tmp_path / "results.jsonl"))
    app.read(until=b"\x1b[?1049h")
    time.sleep(0.5)
    app.process.send_signal(signal.SIGTERM)
    said = app.read()
    assert app.process.wait(30) == 143
    assert "Traceback" not in said
    assert after_the_app(said) == "secateur: stopped; what was finished is kept."
