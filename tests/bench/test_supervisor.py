"""Jobs by real processes, and what may befall them: nothing is lost and nothing counts twice."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent import supervisor
from bench.agent.clock import Stamp, stamp_now
from bench.agent.events import JobStarted, TurnStarted, Waiting
from bench.agent.journal import Journal, read_journal
from bench.agent.ledger import Ledger
from bench.agent.locks import Holder, device_lock, held
from bench.agent.schedule import round_order
from bench.agent.supervisor import MOST_CUT_OFF, run_job
from bench.store.store import Store
from runtime.bundle import MANIFEST
from speech.corpora.corpus import Clip
from tests.bench.conftest import make_greedy, write_tiny_bundle
from tests.bench.jobs import AGENT, Pen, ask, is_alive, measured, run, start, write_small_job
from tests.privileges import give_up_privileges

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit memory")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "job"
    place.mkdir()
    return place


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Path, Path]:
    return write_tiny_bundle(tmp_path / "one", "one"), write_tiny_bundle(tmp_path / "two", "two")


def heard_until(process: subprocess.Popen[str], wanted: Callable[[Any], bool]) -> Any:
    """The first printed event that is wanted."""
    assert process.stdout is not None
    for line in process.stdout:
        if wanted(event := json.loads(line)):
            return event
    raise AssertionError("it never came")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_job_that_was_cut_off_goes_on_and_counts_nothing_twice(
    how: signal.Signals, folder: Path, bundles: tuple[Path, Path], clips: tuple[Clip, ...]
) -> None:
    job = write_small_job(folder, bundles, clips)
    with start(folder) as process:
        turn = heard_until(process, lambda event: event["kind"] == "turn_started")
        heard_until(process, lambda event: event["kind"] == "turn_ended")
        turn = heard_until(process, lambda event: event["kind"] == "turn_started")
        heard_until(process, lambda event: event["kind"] == "sample")
        if how == signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, how)  # as Ctrl-C does: all of them at once
        process.communicate(timeout=20)
    assert process.returncode == (-how if how == signal.SIGKILL else 1)
    if how == signal.SIGINT or sys.platform == "linux":
        deadline = time.monotonic() + 10
        while is_alive(turn["pid"]) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_alive(turn["pid"])
    assert ask("status", str(folder))[1]["state"] == "stopped"
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind": "sample", "case": "one/t1", "tu')  # as a power cut leaves it

    code, events = run(folder)
    assert code == 0
    assert events[0]["resumed"] is True
    written = [stamped.event for stamped in read_journal(folder / "journal.jsonl")]
    ended = [event.case for event in written if event.kind == "turn_ended"]
    assert ended == round_order(job, 0) + round_order(job, 1)
    for measurement in measured(folder, job):
        assert measurement.error is None
        assert Counter(s.clip for s in measurement.samples) == {"1.flac": 2, "2.flac": 2}
        assert [heard.clip for heard in measurement.transcripts] == ["1.flac", "2.flac"]
        cut = measurement.case == turn["case"]
        assert {s.turn for s in measurement.samples} == ({1, 2} if cut else {0, 1})
    done = ask("status", str(folder))[1]
    assert (done["state"], sorted(done["finished"])) == ("done", ["one/t1", "two/t1"])
    assert run(folder) == (0, [])  # there is nothing left to do


def test_a_case_that_takes_the_machine_down_again_and_again_is_given_up(
    folder: Path, bundles: tuple[Path, Path], clips: tuple[Clip, ...]
) -> None:
    job = write_small_job(folder, bundles, clips, max_samples=2, min_samples=2)
    fatal, fine = round_order(job, 0)
    pen = Pen()
    for turn in range(MOST_CUT_OFF):
        pen.write(JobStarted(job.id, "1", turn > 0, {}), TurnStarted(fatal, turn, 1))
    with Journal(folder / "journal.jsonl") as journal:
        for stamped in pen.events:
            journal.append(stamped.to_json())
    run_job(folder)
    found = {measurement.case: measurement for measurement in measured(folder, job)}
    assert (found[fatal].reason, found[fine].error) == ("crash", None)
    assert "went down 5 times" in str(found[fatal].error)


def test_one_bad_case_ends_with_its_reason_and_the_others_go_on(
    folder: Path, bundle: Path, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    """Broken, hanging, crashing, incomplete, swapped and closed bundles beside a good one."""
    names = ("garbled", "hangs", "crashes", "incomplete", "swapped", "closed")
    bad = [write_tiny_bundle(tmp_path / name, name) for name in names]
    graph = bad[0] / "model.onnx"
    graph.write_bytes(bytes(graph.stat().st_size))
    (bad[3] / "vocab.json").unlink()
    job = write_small_job(folder, [*bad, bundle], clips, timeout_seconds=6)
    manifest = bad[4] / MANIFEST
    manifest.write_text(manifest.read_text().replace("swapped", "another"))
    bad[5].chmod(0)
    with start(folder, before=give_up_privileges) as process:
        for _ in range(2):
            turn = heard_until(
                process,
                lambda event: (
                    event["kind"] == "turn_started" and event["case"] in ("hangs/t1", "crashes/t1")
                ),
            )
            os.kill(turn["pid"], signal.SIGSTOP if turn["case"] == "hangs/t1" else signal.SIGSEGV)
        process.communicate(timeout=60)
    assert process.returncode == 0
    found = dict(zip((*names, "fine"), measured(folder, job), strict=True))
    assert {name: found[name].reason for name in found} == {
        "garbled": "input",
        "hangs": "timeout",
        "crashes": "crash",
        "incomplete": "input",
        "swapped": "input",
        "closed": "input",
        "fine": None,
    }
    assert "is no graph of a bundle" in str(found["garbled"].error)
    assert "Took longer than 6 s" in str(found["hangs"].error)
    assert "SIGSEGV" in str(found["crashes"].error)
    assert "vocab.json" in str(found["incomplete"].error)
    assert "another bundle" in str(found["swapped"].error)
    assert "Permission denied" in str(found["closed"].error)
    assert len(found["fine"].samples) == 4


@linux_only
def test_a_case_that_runs_out_of_memory_says_so(
    folder: Path, bundles: tuple[Path, Path], clips: tuple[Clip, ...]
) -> None:
    greedy, modest = bundles
    make_greedy(greedy)
    job = write_small_job(folder, [greedy, modest], clips, memory_limit_mb=400)
    assert run(folder)[0] == 0
    failed, fine = measured(folder, job)
    assert failed.reason == "memory"
    assert "Memory ran out (the limit is 400 MB)" in str(failed.error)
    assert str(failed.error).endswith("requested buffer of size 2147483648.")  # and no advice
    assert fine.error is None


def run_with_small_files(folder: Path) -> tuple[int, list[Any]]:
    room = 4096  # bytes of any file: the start and a little more
    return run(folder, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))


#: Four pages: the job, the lock, the order of a turn, and one of the journal.
ON_A_FULL_DISK = """
mount -t tmpfs -o size=16k none "$1" && cp "$2/job.json" "$1" || exit 77
"$3" -m bench.agent run "$1"
code=$?
cp "$1/journal.jsonl" "$2"
exit $code
"""


def run_on_a_full_disk(folder: Path) -> tuple[int, list[Any]]:
    disk = folder.with_name("disk")
    disk.mkdir()
    private = ["unshare", "--user", "--map-root-user", "--mount"]
    words = ["sh", "-c", ON_A_FULL_DISK, "sh", str(disk), str(folder), sys.executable]
    try:
        done = subprocess.run([*private, *words], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode not in (0, 2):
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("run_without_room", [run_with_small_files, run_on_a_full_disk])
def test_a_full_disk_stops_the_job_and_loses_nothing(
    run_without_room: Callable[[Path], tuple[int, list[Any]]],
    folder: Path,
    bundle: Path,
    clips: tuple[Clip, ...],
) -> None:
    job = write_small_job(folder, [bundle], clips)
    code, events = run_without_room(folder)
    assert code == 2
    assert "The disk is full" in events[-1]["error"]
    told = len(events) - 1
    assert len(list(read_journal(folder / "journal.jsonl"))) == told > 1
    assert (folder / "journal.jsonl").read_bytes().endswith(b"}\n")
    assert run(folder)[0] == 0
    assert len(measured(folder, job)[0].samples) == 4


def test_a_clock_that_jumps_moves_no_figure(
    folder: Path,
    bundle: Path,
    clips: tuple[Clip, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By years, to and fro, at every event; the device believes that it is long ago."""
    job = write_small_job(folder, [bundle], clips)
    years = itertools.cycle(("1970", "2031", "2001", "1999"))

    def jumping() -> Stamp:
        return replace(stamp_now(), at=f"{next(years)}-01-01T00:00:00.000+00:00")

    monkeypatch.setattr(supervisor, "stamp_now", jumping)
    run_job(folder)
    for _ in range(2):
        with Store.at(tmp_path / "store.sqlite") as store:
            store.add_folder(folder, "pi")
            [found] = store.measurements()
        assert Counter(sample.clip for sample in found.samples) == {"1.flac": 2, "2.flac": 2}
        assert found.turns == 2
        assert found.measured_at >= job.created
    events = list(read_journal(folder / "journal.jsonl"))
    assert {stamped.stamp.at[:4] for stamped in events} == {"1970", "2031", "2001", "1999"}
    for turn in Ledger(events).all_turns("tiny-magnitude-70/t1"):
        assert 0 < sum(sample.seconds for _, sample in turn.samples) < turn.seconds < 60


def test_a_second_job_is_told_who_has_the_device(
    folder: Path, bundle: Path, clips: tuple[Clip, ...]
) -> None:
    write_small_job(folder, [bundle], clips)
    with held(device_lock(), Holder("0123", "desk", "2026-01-01T00:00:00+00:00", 7)):
        code, [answer] = run(folder)
    assert code == 3
    for fact in ("0123", "desk", "2026-01-01T00:00:00"):
        assert fact in answer["error"]
    assert not (folder / "journal.jsonl").exists()


def test_a_patient_job_waits_for_the_device(
    folder: Path, bundle: Path, clips: tuple[Clip, ...]
) -> None:
    job = write_small_job(folder, [bundle], clips, wait=True, max_samples=2, min_samples=2)
    with held(device_lock(), Holder("0123", "desk", "2026-01-01T00:00:00+00:00", 7)):
        process = start(folder)
        deadline = time.monotonic() + 20
        while (status := ask("status", str(folder))[1])["state"] != "waiting":
            assert time.monotonic() < deadline, status
        assert status["pid"] == process.pid
        code, [answer] = run(folder)  # a second supervisor of the same job
        assert code == 3
        assert job.id in answer["error"]
    with process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(measured(folder, job)[0].samples) == 2


COOLING = """
import select, sys
degrees, asked = 40, 0
while True:
    print('{"kind": "reading", "temperature": %d}' % degrees, flush=True)
    if select.select([sys.stdin], [], [], 0.05 if asked > 1 else None)[0]:
        if not sys.stdin.buffer.raw.read(1): break
        asked += 1
        if asked == 2: degrees = 70
    elif degrees > 41: degrees -= 5
"""


def test_a_hot_machine_is_let_cool_down(
    folder: Path, bundle: Path, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    """It is asked before and after each turn; the first one leaves it hot."""
    job = write_small_job(folder, [bundle], clips)
    run_job(folder, sampler=(sys.executable, "-c", COOLING))
    written = [stamped.event for stamped in read_journal(folder / "journal.jsonl")]
    [waiting] = [event for event in written if isinstance(event, Waiting)]
    assert waiting.until == 42
    after = written[written.index(waiting) :]
    cooled = next(i for i, e in enumerate(after) if getattr(e, "temperature", 99) <= 42)
    started = next(i for i, e in enumerate(after) if e.kind == "turn_started")
    assert cooled < started
    conditions = measured(folder, job)[0].conditions
    assert conditions is not None
    assert conditions.temperature_at_start == 40
    assert conditions.temperature_at_most == 70


def test_a_sustained_run_is_one_long_turn_in_stretches(
    folder: Path, bundle: Path, clips: tuple[Clip, ...]
) -> None:
    job = write_small_job(folder, [bundle], clips, sustained_seconds=1.5)
    assert run(folder)[0] == 0
    [found] = measured(folder, job)
    assert found.turns == 1
    assert sum(stretch.samples for stretch in found.sustained) == len(found.samples) > 4
    starts = [stretch.start_seconds for stretch in found.sustained]
    assert starts == sorted(starts)
    assert starts[0] == 0


def test_a_turn_by_hand_prints_its_events(bundle: Path, clips: tuple[Clip, ...]) -> None:
    order = {
        "case": "c", "turn": 0, "bundle": str(bundle), "bundle_sha256": None, "settings": {},
        "clips": [{"path": str(clips[0].audio), "text": ""}], "warm_up": 0, "first_clip": 0,
        "samples": 1, "hear_all": True,
    }  # fmt: skip
    file = bundle / "turn.json"
    file.write_text(json.dumps(order))
    done = subprocess.run([*AGENT, "turn", str(file)], capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = ["phase", "phase", "phase", "sample", "transcript", "turn_ended"]
    assert [event["kind"] for event in events] == kinds
    assert events[-1]["error"] is None


def test_the_sampler_reads_on_demand_and_ends_with_its_input() -> None:
    with subprocess.Popen(
        [*AGENT, "sampler"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.wait(10) == 0
    assert all(line["kind"] == "reading" for line in lines)
    assert lines[0]["load"] is not None


def test_wrong_words() -> None:
    code, answer = ask("rnu", "job")
    assert code == 2
    assert "Usage" in answer["error"]


def test_a_job_that_cannot_be_read_is_exit_2(folder: Path, bundle: Path) -> None:
    code, answer = ask("run", str(folder))
    assert code == 2
    assert "is not a job" in answer["error"]
