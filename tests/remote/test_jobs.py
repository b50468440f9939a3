"""A comparison on a board: whatever happens to it or to the connection, every turn counts once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import IO

import pytest

from bench.agent.job import Job, Plan
from bench.agent.measurement import Measurement
from bench.remote.devices import Device, find_device
from bench.remote.fleet import all_at_once
from bench.remote.journal_copy import JournalCopy
from bench.remote.work import Request, Worker
from pipeline.commands.bench_outcome import finish
from runtime.bundle import Bundle
from speech.corpora.corpus import Clip, Corpus
from speech.errors import BadInput
from tests.remote.conftest import PATIENCE
from tests.remote.sshd import Board, wait_until

QUICK = Plan(
    warm_up=0, min_samples=4, max_samples=4, turn_samples=2, tightness=0, cool_wait_seconds=0
)


@pytest.fixture
def comparison(bundle: Path, clips: tuple[Clip, ...]) -> Request:
    """One case of two turns, four samples in all."""
    return Request([Bundle.open(bundle)], Corpus("two", clips), plan=QUICK)


def copied(worker: Worker, job: Job) -> bytes:
    return (worker.folder(job.id) / "journal.jsonl").read_bytes()


def there(board: Board, job: Job) -> Path:
    return board.cache / "jobs" / job.id


def once(worker: Worker, job: Job, marker: bytes, act: Callable[[], object]) -> list[object]:
    """Act as soon as the copied journal has the marker; gives what came of it."""
    done: list[object] = []

    def look(label: str, count: int, total: int) -> None:
        if not done and label == "measuring" and marker in copied(worker, job):
            done.append(act())

    worker.report = look
    return done


def assert_each_turn_counts_once(
    board: Board, worker: Worker, job: Job, found: list[Measurement]
) -> None:
    [measurement] = found
    assert measurement.error is None
    assert [sample.clip for sample in measurement.samples] == ["1.flac", "2.flac"] * 2
    assert set(Counter(sample.turn for sample in measurement.samples).values()) == {2}
    assert copied(worker, job) == (there(board, job) / "journal.jsonl").read_bytes()


def test_a_cut_connection_loses_nothing(board: Board, worker: Worker, comparison: Request) -> None:
    said: list[str] = []
    worker.say = said.append
    job = worker.begin(comparison)
    cuts = once(worker, job, b'"turn_started"', board.cut)
    assert_each_turn_counts_once(board, worker, job, worker.watch(job))
    assert cuts == [1]
    assert "The job goes on there" in said[0]
    assert b'"resumed": true' not in copied(worker, job)


def test_an_agent_that_is_killed_is_started_again_where_it_was(
    board: Board, worker: Worker, comparison: Request
) -> None:
    said: list[str] = []
    worker.say = said.append
    job = worker.begin(comparison)
    killed = once(worker, job, b'"turn_started"', lambda: board.supervisor(job.id).kill())
    assert_each_turn_counts_once(board, worker, job, worker.watch(job))
    assert killed
    assert "its agent ended with code 137; starting it again where it was" in said
    assert b'"resumed": true' in copied(worker, job)


def assert_nobody_measures(board: Board) -> None:
    assert not any("bench.agent" in process.cmdline() for process in board.running())


def test_a_job_is_stopped_from_elsewhere_and_goes_on_when_it_is_looked_at_again(
    board: Board, device: Device, worker: Worker, comparison: Request
) -> None:
    long = replace(QUICK, min_samples=20, max_samples=20)
    job = worker.begin(replace(comparison, plan=long))
    with Worker(device, patience=PATIENCE) as other:
        stopped = once(worker, job, b'"turn_started"', lambda: other.end(other.find(None)))
        with pytest.raises(BadInput, match=rf"^pi: job {job.id} was stopped\.$"):
            worker.watch(job)
        assert stopped == [True]
        assert_nobody_measures(board)
        assert other.end(job) is False
        [elsewhere] = other.watch(other.begin(comparison))
        assert elsewhere.error is None
        assert other.find(None) == job
    [measured] = worker.watch(job)
    assert set(Counter(sample.turn for sample in measured.samples).values()) == {2}
    assert len(measured.samples) == 20
    assert copied(worker, job) == (there(board, job) / "journal.jsonl").read_bytes()


def test_a_job_that_does_not_listen_is_stopped_all_the_same(
    board: Board, worker: Worker, comparison: Request
) -> None:
    """As when its disk hangs; it is given its time."""
    job = worker.begin(comparison)
    wait_until((there(board, job) / "journal.jsonl").exists, "it did not begin")
    board.supervisor(job.id).suspend()
    assert worker.end(job)
    assert_nobody_measures(board)
    with pytest.raises(BadInput, match="was stopped"):
        worker.watch(job)
    assert_each_turn_counts_once(board, worker, job, worker.watch(job))


def test_a_power_cut_is_waited_for_and_what_it_took_back_is_read_anew(
    board: Board, worker: Worker, comparison: Request
) -> None:
    """The agent is gone, sshd is back later, and the journal has lost its end and is torn."""
    job = worker.begin(comparison)
    journal = there(board, job) / "journal.jsonl"
    boots: list[Thread] = []

    def fail() -> None:
        board.stop()
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]) + b'{"k')
        boots.append(Thread(target=board.start))
        boots[0].start()

    once(worker, job, b'"turn_started"', fail)
    found = worker.watch(job)
    assert boots
    assert_each_turn_counts_once(board, worker, job, found)
    assert b'"resumed": true' in copied(worker, job)
    [aside] = worker.folder(job.id).glob("journal-*.jsonl")
    assert b'"turn_started"' in aside.read_bytes()


def test_ctrl_c_only_looks_away_and_another_machine_sees_the_results(
    board: Board,
    device: Device,
    worker: Worker,
    comparison: Request,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device is even off for longer than anybody waits; the job goes on when it is back."""
    job = worker.begin(comparison)
    once(worker, job, b'"turn_started"', lambda: os.kill(os.getpid(), signal.SIGINT))
    [outcome] = all_at_once([worker], lambda worker: job)
    assert outcome.detached
    assert not outcome.measurements
    board.stop()
    monkeypatch.setenv("SECATEUR_DATA", str(tmp_path / "other"))
    with Worker(device, patience=PATIENCE) as other:
        with pytest.raises(BadInput, match=r"pi .* cannot be reached .*Connection refused"):
            other.find(None)
        board.start()
        assert other.find(None) == job
        assert_each_turn_counts_once(board, other, job, other.watch(job))


def test_ctrl_c_amid_the_start_says_which_job_may_run(
    comparison: Request,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    here = Worker(find_device("this"))
    opened = here.link.open

    def interrupted(words: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        process = opened(words, errors)
        if "start" in words:
            here.interrupt()
        return process

    monkeypatch.setattr(here.link, "open", interrupted)
    outcomes = all_at_once([here], lambda worker: worker.begin(comparison))
    with pytest.raises(SystemExit):
        finish(outcomes, as_json=True, output=None)
    assert here.asked
    sentence = f"this: job {here.asked.id} may have been started; `secateur bench stop this"
    assert sentence in capsys.readouterr().err


def test_two_hosts_at_once(
    board: Board, device: Device, worker: Worker, comparison: Request
) -> None:
    """One is told who has the device; one that said it would wait is measured afterwards."""
    first = worker.begin(comparison)
    with (
        JournalCopy(worker.folder(first.id)),
        pytest.raises(BadInput, match="Another secateur on this machine follows this job"),
    ):
        worker.watch(first)
    wait_until((there(board, first) / "journal.jsonl").exists, "it did not begin")
    with Worker(device, patience=PATIENCE) as other:
        with board.paused(first.id):
            waiting = other.begin(replace(comparison, seed=1, wait=True))
            late = other.begin(replace(comparison, seed=2))
            with pytest.raises(BadInput, match=f"pi: The device is busy: job {first.id} of"):
                other.watch(late)
        assert_each_turn_counts_once(board, worker, first, worker.watch(first))
        assert_each_turn_counts_once(board, other, waiting, other.watch(waiting))


def test_a_disk_that_fills_up_is_said_and_the_job_goes_on_with_room(
    board: Board, worker: Worker, comparison: Request
) -> None:
    worker.begin(comparison)  # all is there now but the next job
    board.stop()
    board.start(largest_file=4096)
    worker.link.drop()
    job = worker.begin(replace(comparison, seed=1))
    with pytest.raises(BadInput, match="pi: its disk is full"):
        worker.watch(job)
    board.stop()
    board.start()
    worker.link.drop()
    assert_each_turn_counts_once(board, worker, job, worker.watch(job))
