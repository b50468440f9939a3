"""`secateur bench` as a user calls it, on this machine and a board at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.agent.measurement import Measurement
from bench.remote.devices import Device, new_device, write_devices
from bench.remote.fleet import Outcome
from bench.results import read_results
from pipeline.commands.bench_outcome import finish
from speech.errors import BadInput
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.remote.sshd import Board, wait_until
from tests.remote.test_device_command import lying_python


@pytest.fixture
def words(bundle: Path, corpus: Path, bare_board: Board, device: Device) -> list[str]:
    off = new_device("off", "me@127.0.0.1:1")
    write_devices({"pi": device, "off": off})
    return ["bench", str(bundle), "--clips", str(corpus)]


#: What is measured, and where the job lay.
OWN = (
    *("bundle", "job", "measured_at", "import_seconds", "load_seconds", "first_seconds", "starts"),
    *("samples", "latency", "phase_medians", "real_time_factor", "memory", "conditions"),
    *("queued_share", "verdicts", "environment"),
)


def without(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def kinds_in(value: Any) -> Any:
    """All keys and how long lists are; of values only what kind they are."""
    if isinstance(value, dict):
        return {key: kinds_in(item) for key, item in value.items() if key != "verdicts"}
    if isinstance(value, list):
        return [kinds_in(item) for item in value]
    return float if type(value) is int else type(value)


def test_this_machine_and_a_device_give_the_same_kind_of_record(
    words: list[str], new_board: Board, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    done = secateur(
        *words, "--device", "this,pi,off", "--samples", "2", "--json", "-o", str(results)
    )
    assert done.returncode == 2, done.stderr
    assert (
        "The device off (me@127.0.0.1:1) cannot be reached"
        in (done.stderr.splitlines() or [""])[-1]
    ), repr(done)
    here, there = json.loads(done.stdout)
    assert [found["environment"]["device"] for found in (here, there)] == ["this", "pi"]
    assert kinds_in(here) == kinds_in(there)
    assert without(here, *OWN) == without(there, *OWN)
    machines = [without(found["environment"], "device", "load_average") for found in (here, there)]
    assert machines[0] == machines[1]
    assert (there["error"], len(there["samples"])) == (None, 2)
    assert not list(new_board.cache.glob("bundle-*/pytorch"))
    assert [found.job for found in read_results(results)] == [here["job"], there["job"]]


def test_a_job_is_left_alone_and_looked_at_later(
    words: list[str], board: Board, tmp_path: Path
) -> None:
    begun = secateur(*words, "--device", "pi", "--samples", "2", "--detach")
    assert begun.returncode == 0, begun.stderr
    job = begun.stderr.split("pi: job ")[1].split()[0]
    assert f"`secateur bench attach pi {job}` follows it" in begun.stderr
    attached = secateur("bench", "attach", "pi", "-o", str(tmp_path / "results.jsonl"))
    assert attached.returncode == 0, attached.stderr
    assert "tiny-magnitude-70" in attached.stdout
    assert "TOO_FEW" in attached.stdout
    [kept] = read_results(tmp_path / "results.jsonl")
    assert kept.job == job
    [row] = json.loads(secateur("results", "--json").stdout)
    assert (row["device"], row["job"], row["problem"]) == ("pi", job, None)
    told = ("method", "requested_percent", "precision", "size_mib")
    assert [row[key] for key in told] == ["magnitude", 70, "fp32", pytest.approx(0.01, abs=0.01)]
    assert_one_sentence(secateur("bench", "attach", "pi", "0123"), "no job 0123")


NO_ROOM = """import shutil, types
shutil.disk_usage = lambda place: types.SimpleNamespace(free=0)"""


def test_a_job_that_ended_is_fetched_from_a_device_that_has_become_unfit(
    words: list[str], board: Board
) -> None:
    begun = secateur(*words, "--device", "pi", "--samples", "2", "--detach", "--json")
    [told] = json.loads(begun.stdout)
    journal = board.cache / "jobs" / told["job"] / "journal.jsonl"
    wait_until(
        lambda: journal.exists() and "job_ended" in journal.read_text(), "the job does not end"
    )
    lying_python(board, NO_ROOM)
    assert_one_sentence(secateur(*words, "--device", "pi"), "disk: 0 MiB are free")
    attached = secateur("bench", "attach", "pi", "--json")
    assert attached.returncode == 0, attached.stderr
    assert [found["job"] for found in json.loads(attached.stdout)] == [told["job"]]


def test_a_job_that_was_left_alone_is_stopped(words: list[str], board: Board) -> None:
    begun = secateur(*words, "--device", "pi", "--samples", "500", "--detach")
    job = begun.stderr.split("pi: job ")[1].split()[0]
    stopped = secateur("bench", "stop", "pi", "--json")
    assert json.loads(stopped.stdout) == {"device": "pi", "job": job, "stopped": True}
    again = secateur("bench", "stop", "pi", job)
    assert (again.returncode, again.stdout) == (0, f"pi: job {job} does not run.\n")
    assert_one_sentence(secateur("bench", "stop", "off"), "cannot be reached")
    assert_one_sentence(secateur("bench", "stop", "pi", "0123"), "no job 0123")


def sent_to(board: Board) -> set[str]:
    """Kinds of what takes room there, but for the environment, which tests share."""
    found = {path.name.partition("-")[0] for path in board.cache.iterdir()}
    return found & {"bundle", "clips", "code"} | {
        "store" for _ in (board.cache / "store").glob("*")
    }


def test_a_device_is_cleaned_of_what_can_be_sent_again(
    words: list[str], new_board: Board, device: Device
) -> None:
    measure = [*words, "--device", "pi", "--samples", "1", "--json"]
    assert secateur(*measure).returncode == 0
    assert sent_to(new_board) == {"bundle", "clips", "code", "store"}
    cleaned = json.loads(secateur("device", "clean", "pi", "--json").stdout)
    assert cleaned["freed_bytes"] > 10_000
    assert sent_to(new_board) == {"code", "store"}  # of the code
    assert json.loads(secateur(*measure).stdout)[0]["error"] is None
    begun = secateur(*words, "--device", "pi", "--samples", "500", "--detach")
    job = begun.stderr.split("pi: job ")[1].split()[0]
    assert_one_sentence(secateur("device", "clean", "pi"), f"job {job} runs there", "stop it")
    secateur("bench", "stop", "pi")
    assert secateur("device", "clean", "pi", "--all").stdout.endswith(f"is kept: {job}.\n")
    assert sent_to(new_board) == {"bundle", "clips", "store"}
    jobs = {path.name for path in (new_board.cache / "jobs").iterdir()}
    assert len(jobs) == 3 and job in jobs


@pytest.fixture
def once_here(
    bundle: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Words that measure one clip once on this machine, with a cache and a store of its own."""
    monkeypatch.setenv("SECATEUR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    return ["bench", str(bundle), "--clips", str(corpus), "--count", "1", "--samples", "1"]


def test_a_damaged_job_keeps_nobody_from_others(once_here: list[str], tmp_path: Path) -> None:
    damaged = tmp_path / "cache" / "jobs" / "0123"
    damaged.mkdir(parents=True)
    (damaged / "job.json").write_text("{")
    assert_one_sentence(secateur("bench", "stop", "this"), "this has no jobs")
    assert_one_sentence(secateur("bench", "stop", "this", "0123"), "0123/job.json is damaged")
    assert secateur(*once_here, "--json").returncode == 0
    assert secateur("bench", "stop", "this").stdout.endswith("does not run.\n")


def test_ctrl_c_says_which_job_goes_on(once_here: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", *once_here, "--samples", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        copies = tmp_path / "data" / "jobs" / "this"
        wait_until(lambda: any(copies.glob("*/journal.jsonl")), "nobody looks on")
        process.send_signal(signal.SIGINT)
        assert process.stderr
        told = process.stderr.read()
    stopped = json.loads(secateur("bench", "stop", "this", "--json").stdout)
    assert stopped["stopped"]
    assert f"`secateur bench attach this {stopped['job']}` follows it" in told
    assert process.returncode == 130


def test_the_best_settings_are_told_and_kept(once_here: list[str]) -> None:
    done = secateur(*once_here, "--tune", "--json")
    assert done.returncode == 0, done.stderr
    assert "this: best of 5 is tiny-magnitude-70 with threads " in done.stderr
    assert "arena on, window trained, provider cpu" in done.stderr
    [best] = [m for m in json.loads(done.stdout) if m["environment"].get("best_of")]
    rows = json.loads(secateur("results", "--json").stdout)
    [kept] = [row for row in rows if row["best_of"]]
    assert (len(rows), kept["best_of"], kept["job"]) == (5, 5, best["job"])
    assert (kept["threads"], "spinning" in kept["settings"]) == (
        best["threads"], best["settings"]["spinning"]
    )  # fmt: skip
    assert "best of" in secateur("results").stdout


def test_every_combination_of_settings_is_a_case(once_here: list[str]) -> None:
    done = secateur(*once_here, "--window", "2,trained", "--arena", "on,off", "--json")
    assert done.returncode == 0, done.stderr
    settings = [found["settings"] for found in json.loads(done.stdout)]
    assert sorted((one["window"] or 0, one["arena"]) for one in settings) == [
        (0, False), (0, True), (2, False), (2, True)
    ]  # fmt: skip
    assert all((one["threads"], one["spinning"]) == (1, False) for one in settings)


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML is there")
def test_a_case_that_failed_is_a_result_and_no_success(once_here: list[str]) -> None:
    done = secateur(*once_here, "--provider", "cpu,coreml", "--json")
    assert done.returncode == 2, done.stderr
    errors = [found["error"] for found in json.loads(done.stdout)]
    assert errors[0] is None and "CoreMLExecutionProvider" in errors[1]
    last = done.stderr.splitlines()[-1]
    assert "1 of 2 cases could not be measured (tiny-magnitude-70 on this)" in last


def test_a_clip_that_nobody_can_hear_is_named_as_the_user_knows_it(
    once_here: list[str], corpus: Path
) -> None:
    broken = corpus / "1.flac"
    broken.write_bytes(broken.read_bytes()[:200])
    done = secateur(*once_here, "--count", "2")
    assert_one_sentence(done, f"secateur: {broken} is damaged or cut short")


def test_a_job_that_is_kept_twice_is_there_once(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    for job in ("a", "b", "a"):
        found = Measurement("/b", "b", "2026-01-01T00:00:00+00:00", 1, job=job)
        finish([Outcome("pi", measurements=[found])], as_json=True, output=file)
    assert [found.job for found in read_results(file)] == ["b", "a"]


def test_what_cannot_be_kept_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("others wrote it meanwhile")
    outcome = Outcome("pi", measurements=[Measurement("/b", "b", "2026-01-01T00:00:00+00:00", 1)])
    with pytest.raises(BadInput, match=r"results\.jsonl, line 1: .*`secateur results` has them"):
        finish([outcome], as_json=True, output=file)
    assert json.loads(capsys.readouterr().out)[0]["name"] == "b"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--device", "nobody"], "No device is called 'nobody'"),
        (["--threads", "1,x"], "no list of whole numbers"),
        (["--threads", "0"], "'threads' is 0"),
        (["--provider", "cpu,cuda"], "'provider' is 'cuda'"),
        (["--window", "5,long"], "no list of seconds"),
        (["--arena", "maybe"], "must be on, off, or on,off"),
        (["--tune", "--threads", "2"], "--tune tries values of --threads itself"),
        (["--clips", "/nowhere"], "no folder"),
        (["--device", "this,"], "'this,' is no list of names"),
        (["--sustained", "1", "--samples", "5"], "leave --samples and --budget out"),
        (["--sustained", "1", "--budget", "5"], "leave --samples and --budget out"),
        (["--detach", "-o", "r.jsonl"], "give -o to `secateur bench attach`"),
        (["-o", "/dev/null/r.jsonl"], "/dev/null is no folder"),
        (["-o", __file__], "test_bench_command.py, line 1: "),
    ],
)
def test_what_cannot_be_asked_for(
    options: list[str], complaint: str, bundle: Path, corpus: Path
) -> None:
    done = secateur("bench", str(bundle), "--clips", str(corpus), *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
