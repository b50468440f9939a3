"""Whoever waits for a command sees within seconds what it does, in a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from pipeline.progress import Meter, Step, duration
from tests.pipeline.command_line import fresh_secateur

ON = {"SECATEUR_PROGRESS": "on"}
#: A step that says nothing while it lasts, then one that counts.
SLOW = """
import time
from pipeline.progress import bars
with bars("pi: ") as report:
    report("opening the model", 0, 1)
    time.sleep({silent})
    report("transcribing", 0, 40)
    for done in range(1, 31):
        time.sleep(0.25)
        report("transcribing", done, 40)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True,
        text=True, timeout=120, check=True,
    )  # fmt: skip


def test_in_a_pipe_a_line_every_few_seconds_says_what_is_done_and_how_long_it_takes() -> None:
    done = run(SLOW.format(silent=2.5), **ON)
    assert done.stdout == ""
    first, *others = done.stderr.splitlines()
    assert re.fullmatch(r"pi: opening the model, \d s so far", first)
    assert others
    for line in others:
        assert re.fullmatch(r"pi: transcribing: \d+ of 40, \d+ s so far, about \d+ s left", line), (
            line
        )


def test_in_a_terminal_a_bar_moves_while_nothing_is_reported() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW.format(silent=3)],
        stderr=theirs, env={**os.environ, **ON, "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    times = re.findall(r"pi: opening the model \[00:0(\d)\]", shown.decode())
    assert len(set(times)) > 1
    assert re.search(r"pi: transcribing: +\d+%\|.*\d+/40 \[\d+:\d+<\d+:\d+", shown.decode())


def test_it_can_be_silenced_and_nothing_short_is_mentioned() -> None:
    assert run(SLOW.format(silent=2), SECATEUR_PROGRESS="off").stderr == ""
    quick = "from pipeline.progress import bars\nwith bars() as report: report('quick', 1, 9)"
    assert run(quick, **ON).stderr == ""


def test_a_reader_that_goes_away_stops_nothing() -> None:
    code = "import sys, os; os.close(2)\n" + SLOW.format(silent=2) + "\nprint('done')"
    assert run(code, **ON).stdout == "done\n"


def test_what_is_left_is_reckoned_from_the_pace_of_the_step_alone() -> None:
    step = Step("resumed", started=100.0, first=50, done=50, total=90)
    assert step.left(110.0) is None
    step.done = 60
    assert step.left(110.0) == pytest.approx(30.0)
    assert step.words(110.0) == "resumed 60 of 90, about 30 s left"
    assert [duration(s) for s in (3.4, 89, 100, 5000, 7000)] == [
        "3 s", "89 s", "2 min", "83 min", "1 h 57 min"
    ]  # fmt: skip


def test_a_full_or_smaller_count_begins_a_new_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECATEUR_PROGRESS", "off")
    meter = Meter("a: ")
    meter.report("x", 3, 9)
    assert (meter._step.label, meter._step.first) == ("x", 3)
    meter.report("x", 2, 9)
    assert meter._step.first == 2
    meter.report("x", 9, 9)
    assert meter._words(meter._step.started + 4) == "a: working, 4 s so far"
    meter.close()


def test_an_evaluation_says_what_it_does(tmp_path: Path) -> None:
    """On the host, where the model is opened first and clips are transcribed in batches."""
    done = fresh_secateur("eval", "demo-whisper", "--limit", "150", "--device", "cpu", **ON)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines and all(" so far" in line for line in lines)
    assert any(re.match(r"(working|opening demo|transcribing demo:test)", line) for line in lines)
