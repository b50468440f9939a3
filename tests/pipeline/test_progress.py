"""Whoever waits for a command sees within seconds what it does, in a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass
class Waiting:
    """Commands that mostly sleep, so they do it side by side."""

    piped: subprocess.Popen[str]
    silenced: subprocess.Popen[str]
    deaf: subprocess.Popen[str]
    in_terminal: subprocess.Popen[str]
    terminal: int


def begun(code: str, stderr: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=stderr, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def waiting() -> Iterator[Waiting]:
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    deaf = "import sys, os; os.close(2)\n" + SLOW.format(silent=2) + "\nprint('done')"
    found = Waiting(
        piped=begun(SLOW.format(silent=2.5), **ON),
        silenced=begun(SLOW.format(silent=2), SECATEUR_PROGRESS="off"),
        deaf=begun(deaf, **ON),
        in_terminal=begun(SLOW.format(silent=3), stderr=theirs, TERM="xterm", COLUMNS="80", **ON),
        terminal=terminal,
    )
    os.close(theirs)
    yield found
    os.close(terminal)
    for process in (found.piped, found.silenced, found.deaf, found.in_terminal):
        process.kill()
        process.communicate()


def test_in_a_pipe_a_line_every_few_seconds_says_what_is_done_and_how_long_it_takes(
    waiting: Waiting,
) -> None:
    said, told = waiting.piped.communicate(timeout=60)
    assert (waiting.piped.returncode, said) == (0, "")
    first, *others = told.splitlines()
    assert re.fullmatch(r"pi: opening the model, \d s so far", first)
    assert others
    for line in others:
        assert re.fullmatch(r"pi: transcribing: \d+ of 40, \d+ s so far, about \d+ s left", line), (
            line
        )


def test_in_a_terminal_a_bar_moves_while_nothing_is_reported(waiting: Waiting) -> None:
    shown = b""
    with suppress(OSError):  # the other end is closed
        while part := os.read(waiting.terminal, 4096):
            shown += part
    assert waiting.in_terminal.wait(60) == 0
    times = re.findall(r"pi: opening the model \[00:0(\d)\]", shown.decode())
    assert len(set(times)) > 1
    assert re.search(r"pi: transcribing: +\d+%\|.*\d+/40 \[\d+:\d+<\d+:\d+", shown.decode())


def test_it_can_be_silenced(waiting: Waiting) -> None:
    assert waiting.silenced.communicate(timeout=60) == ("", "")
    assert waiting.silenced.returncode == 0


def test_nothing_short_is_mentioned() -> None:
    quick = "from pipeline.progress import bars\nwith bars() as report: report('quick', 1, 9)"
    process = begun(quick, **ON)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_reader_that_goes_away_stops_nothing(waiting: Waiting) -> None:
    assert waiting.deaf.communicate(timeout=60)[0] == "done\n"
    assert waiting.deaf.returncode == 0


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
