"""`secateur bench` as a user calls it, on this machine and a board at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.agent.measurement import Measurement
from bench.remote.devices import Device, new_device, write_devices
from bench.remote.fleet import Outcome
from bench.results import read_results
from pipeline.commands.bench_outcome import finish
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.remote.sshd import Board


@pytest.fixture
def words(bundle: Path, corpus: Path, bare_board: Board, device: Device) -> list[str]:
    off = new_device("off", "me@127.0.0.1:1")
    write_devices({"pi": device, "off": off})
    return ["bench", str(bundle), "--clips", str(corpus)]


def test_this_machine_and_a_device_give_the_same_kind_of_record(
    words: list[str], new_board: Board, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    done = secateur(
        *words, "--device", "this,pi,off", "--samples", "2", "--json", "-o", str(results)
    )
    assert done.returncode == 2, done.stderr
    assert "The device off (me@127.0.0.1:1) cannot be reached" in done.stderr.splitlines()[-1]
    here, there = json.loads(done.stdout)
    assert [found["environment"]["device"] for found in (here, there)] == ["this", "pi"]
    assert set(here) == set(there)
    for key in ("case", "bundle_sha256", "settings", "transcripts", "score", "device_bytes"):
        assert here[key] == there[key], key
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
    assert_one_sentence(secateur("bench", "attach", "pi", "0123"), "no job 0123")


def test_a_job_that_is_kept_twice_is_there_once(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    for job in ("a", "b", "a"):
        found = Measurement("/b", "b", "2026-01-01T00:00:00+00:00", 1, job=job)
        finish([Outcome("pi", measurements=[found])], as_json=True, output=file)
    assert [found.job for found in read_results(file)] == ["b", "a"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--device", "nobody"], "No device is called 'nobody'"),
        (["--threads", "1,x"], "no list of whole numbers"),
        (["--threads", "0"], "'threads' is 0"),
        (["--clips", "/nowhere"], "no folder"),
    ],
)
def test_what_cannot_be_asked_for(
    options: list[str], complaint: str, bundle: Path, corpus: Path
) -> None:
    done = secateur("bench", str(bundle), "--clips", str(corpus), *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
