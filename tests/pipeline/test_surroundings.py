"""Streams, places and names as a command may find them: an answer, or one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.results import write_results
from pipeline.commands import COMMANDS
from tests.pipeline.command_line import (
    NOWHERE,
    assert_one_line,
    fresh_secateur,
    planted_secateur,
    secateur,
)
from tests.tui.measured import measurement

COMMAND = [sys.executable, "-m", "pipeline"]


def shell(words: Sequence[str], how: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {how}', "sh", *COMMAND, *words],
        capture_output=True,
        env={**os.environ, **NOWHERE, **more},
        timeout=120,
    )


CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_streams_disturb_nobody(closed: str, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write_results(file, [measurement("one", "obs", 0.5, 0.1, 10.0)])
    page = tmp_path / "page.md"
    done = shell(["report", str(file), "-o", str(page)], closed)
    assert (done.returncode, done.stderr) == (0, b"")
    assert page.read_text().startswith("#")  # and nothing that was printed is in it
    assert done.stdout == b"" or " 1>&-" not in f" 1{closed}"


def test_a_reader_who_has_gone_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "methods"], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_standard_output_is_one_sentence() -> None:
    done = shell(["methods"], ">/dev/full")
    assert done.returncode == 2
    assert_one_line(done.stderr.decode(), "disk is full", "standard output")


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}


def test_a_terminal_that_knows_ascii_only_gets_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    write_results(file, [measurement("größe-😀", "obs", 0.5, 0.1, 10.0)])
    for words in (["results", str(file)], ["results", str(file), "--json"], ["profiles"]):
        done = fresh_secateur(*words, **ASCII)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
        if "--json" in words:
            assert json.loads(done.stdout)[0]["name"] == "größe-😀"
    done = fresh_secateur("inspect", "größe", **ASCII)
    assert done.returncode == 2
    assert_one_line(done.stderr, "does not exist")
    assert done.stderr.isascii()


# Places and names


#: Of every command as much as it needs to begin.
BEGUN = {
    "eval": "demo-sew --corpus demo",
    "prune": "demo-sew --method mp_local --sparsity 0.5 -o {0}",
    "sensitivity": "{0} --corpus demo",
    "sweep": "--model {0} --corpus demo --methods mp_local --sparsities 0.5 -o x.json",
    "methods": "",
    "run": "{0}",
    "recipe": "check {0}",
    "pack": "{0} -o x",
    "unpack": "{0} -o x",
    "load": "{0} -o x",
    "inspect": "{0}",
    "verify": "{0}",
    "export-optimum": "{0} x",
    "transcribe": "{0} x.wav",
    "card": "{0}",
    "push": "{0} me/x",
    "device": "doctor {0}",
    "bench": "{0}",
    "results": "{0}",
    "report": "{0} -o x.html",
    "plot": "{0} -o x.png",
    "tui": "{0}",
    "profiles": "",
}


def test_every_command_is_begun_here() -> None:
    assert BEGUN.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_working_directory_that_has_gone_is_one_sentence(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = secateur(command, *BEGUN[command].format("nothing").split())
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, "working directory does not exist")
    assert secateur(command, "--help").returncode == 2
    assert secateur("--help").returncode == 0


@pytest.mark.parametrize("command", [name for name, words in BEGUN.items() if "{0}" in words])
def test_a_name_that_is_no_utf_8_is_named_in_one_sentence(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"na\xefve.json")
    done = secateur(command, *BEGUN[command].format(name).split())
    if command == "prune":  # a name to write to is as good as any
        assert done.returncode in (0, 2) and "Traceback" not in done.stderr
        return
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert r"na\udcefve" in done.stderr or "Error: " in done.stderr or command == "push"


@pytest.mark.parametrize(
    "words", ["device list", "results", "tui", "bench nothing", "eval demo-sew --corpus nothing"]
)
def test_who_has_no_home_gets_an_answer_or_one_sentence(words: str, tmp_path: Path) -> None:
    """As a user that nobody knows, in a container."""
    code = (
        "import os, pwd\n"
        "def nobody(*_): raise KeyError\n"
        "pwd.getpwuid = nobody\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "for name in [*os.environ]:\n"
        "    if name == 'HOME' or name.startswith(('XDG', 'SECATEUR')): del os.environ[name]"
    )
    done = planted_secateur(code, *words.split())
    assert done.returncode in (0, 2), done.stderr
    if done.returncode == 2:
        assert_one_line(done.stderr)
    assert [path.name for path in tmp_path.iterdir() if path.name == "~"] == []
    if words == "device list":
        assert "set HOME" in done.stderr
