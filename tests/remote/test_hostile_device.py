"""Whatever a device answers: one sentence that names it, soon, and the other results are shown.

A handful is asked each time; all of the lies take minutes (`make test-long`).
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.remote.devices import new_device, write_devices
from bench.remote.exchange import QUICK
from tests.bench.store.journals import small_job, write_folder
from tests.pipeline.command_line import secateur
from tests.remote import hostile
from tests.remote.hostile import Lie, lie, lying_board
from tests.remote.sshd import Board, find_sshd, running_board, why_no_board

STARTED = hostile.said({"started": True})


@pytest.fixture(scope="module")
def liar(
    tmp_path_factory: pytest.TempPathFactory, environment: Path, agent: Path
) -> Iterator[Board]:
    """Everything was deployed to it, and its python3 lies since."""
    if why := why_no_board():
        pytest.skip(why)
    sshd = find_sshd()
    assert sshd
    with running_board(tmp_path_factory.mktemp("liar") / "board", sshd) as board:
        board.cache.mkdir(parents=True)
        for folder in (environment, agent):
            (board.cache / folder.name).symlink_to(folder)
        lying_board(board)
        yield board


class Host:
    """A user with a device that lies, and results of one that does not."""

    def __init__(self, board: Board, folder: Path):
        self.board = board
        self.variables = {
            "SECATEUR_SSH_CONFIG": str(board.client_settings),
            **{f"SECATEUR_{name}": str(folder / name) for name in ("CONFIG", "DATA", "CACHE")},
        }
        write_devices({"bad": new_device("bad", board.target)}, folder / "CONFIG")
        job, events = small_job("c", "d")
        write_folder(folder / "DATA" / "jobs" / "good" / job.id, job, events)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        began = time.monotonic()
        done = secateur(*words, **self.variables)
        # No figure, but a bound: the machine that runs the tests may be busy as well.
        assert time.monotonic() - began < 2 * QUICK, done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr) < 10_000
        return done

    def refused(self, *words: str) -> None:
        done = self.run(*words)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        last = done.stderr.splitlines()[-1]
        assert re.search(r"(^|\W)bad\b(?!')", last), done.stderr
        assert not re.search(r"cannot be (found|reached)", last)  # it answers
        self.sees_the_good_one()

    def sees_the_good_one(self) -> None:
        shown = self.run("results", "--json")
        assert shown.returncode == 0, shown.stderr
        rows = [row for row in json.loads(shown.stdout) if row["device"] == "good"]
        assert [(row["name"], row["samples"]) for row in rows] == [("c", 8), ("d", 8)]


@pytest.fixture
def host(liar: Board, tmp_path: Path) -> Host:
    return Host(liar, tmp_path)


@pytest.fixture
def measure(bundle: Path, corpus: Path) -> list[str]:
    clips = ["--clips", str(corpus), "--samples", "1"]
    return ["bench", "run", str(bundle), *clips, "--device", "bad"]


Cases = list[tuple[str, dict[str, Lie]]]


def told(prefix: str, lies: dict[str, Lie], **others: Lie) -> Cases:
    return [(name, {prefix: one, **others}) for name, one in lies.items()]


PROBED: Cases = [*told("probe", hostile.NONSENSE), *told("probe", hostile.probe_lies())]
MEASURED: Cases = [
    *told("assemble", hostile.NONSENSE),
    *told("assemble", hostile.assembled_lies()),
    *told("start", {"a list": hostile.NONSENSE["a list"], "nothing": hostile.NONSENSE["nothing"]}),
    *told("environment", {"a relative python": hostile.said({"python": "python"})}),
    *told("follow", hostile.NONSENSE, start=STARTED),
    *told("follow", hostile.FOLLOWED, start=STARTED),
]
JOURNALS: Cases = told("follow", hostile.JOURNALS, start=STARTED)
SILENT: Cases = [
    *told("probe", hostile.SILENT),
    *told("assemble", hostile.SILENT),
    *told("follow", {"silence": hostile.SILENT["silence"]}, start=STARTED),
]
#: What is asked each time.
FEW = {
    ("probe", "a list"),
    ("assemble", "bytes without end"),
    ("follow", "another journal each time"),
    ("follow", "a clip of no length"),
}


def parameters(cases: Cases) -> list[object]:
    found = []
    for name, lies in cases:
        asked = next(iter(lies))
        marks = () if (asked, name) in FEW else pytest.mark.long
        found.append(pytest.param(lies, id=f"{asked}: {name}", marks=marks))
    return found


@pytest.mark.parametrize("lies", parameters(PROBED))
def test_facts_that_are_none_are_one_sentence(host: Host, lies: dict[str, Lie]) -> None:
    lie(host.board, lies)
    host.refused("device", "doctor", "bad")


@pytest.mark.parametrize("lies", parameters(MEASURED))
def test_answers_that_are_none_end_only_their_device(
    host: Host, measure: list[str], lies: dict[str, Lie]
) -> None:
    lie(host.board, lies)
    host.refused(*measure)


@pytest.mark.parametrize("lies", parameters(JOURNALS))
def test_journals_that_are_damaged_cost_their_lines(
    host: Host, measure: list[str], lies: dict[str, Lie], tmp_path: Path
) -> None:
    lie(host.board, lies)
    done = host.run(*measure)
    assert done.returncode in (0, 2), done.stderr
    assert "bad" in done.stderr
    host.sees_the_good_one()
    page = host.run("report", "-o", str(tmp_path / "page.md"))
    assert page.returncode == 0, page.stderr


def test_a_journal_that_is_whole_is_enough(host: Host, measure: list[str]) -> None:
    lie(host.board, {"follow": hostile.ENDLESS, "start": STARTED})
    assert host.run(*measure).returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("lies", hostile.ATTACHED.values(), ids=hostile.ATTACHED.keys())
def test_jobs_that_are_none_are_one_sentence(host: Host, lies: dict[str, Lie]) -> None:
    lie(host.board, lies)
    host.refused("bench", "attach", "bad")
    host.refused("bench", "stop", "bad")


@pytest.mark.parametrize("lies", parameters(SILENT))
def test_a_device_that_is_silent_is_given_up(
    host: Host, measure: list[str], lies: dict[str, Lie]
) -> None:
    lie(host.board, lies)
    host.refused(*(("device", "doctor", "bad") if "probe" in lies else measure))


def test_beside_a_device_that_lies_another_one_measures(host: Host, measure: list[str]) -> None:
    lie(host.board, {"assemble": hostile.NONSENSE["a list"]})
    done = host.run(*measure[:-1], "bad,this", "--json")
    assert done.returncode == 2
    assert "bad answered what cannot be understood" in done.stderr.splitlines()[-1]
    [found] = json.loads(done.stdout)
    assert (found["environment"]["device"], found["error"]) == ("this", None)
    host.sees_the_good_one()


def test_there_are_seventy_lies_and_more() -> None:
    everything = [*PROBED, *MEASURED, *JOURNALS, *SILENT, *hostile.ATTACHED]
    assert len(everything) >= 70
