"""What the agent takes for a job and a journal, and what it refuses, in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agent.events import JobEnded, Reading, Stamped, Unknown
from bench.agent.job import Job, Plan, job_from, read_job, write_job
from bench.agent.journal import Journal, read_journal
from speech.errors import BadInput
from tests.bench.jobs import Pen, paper_job


def test_a_job_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    job = paper_job("a", "b", budget_seconds=60, tightness=0)  # whole numbers are numbers
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    assert len(job.id) == 16
    with pytest.raises(BadInput, match="exists"):
        write_job(tmp_path, job)


def test_jobs_from_before_there_was_tuning_keep_their_ids() -> None:
    job = paper_job("a")
    assert "tune" not in job.to_table()
    tuning = Job.make(job.cases, job.clips, tune=True)
    assert job_from(tuning.to_table(), "job.json") == tuning
    assert replace(tuning, tune=False).digest() != tuning.id


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cases": []}, "'cases' must be a list with at least one"),
        ({"clips": []}, "'clips' must be a list with at least one"),
        ({"seed": "x"}, "seed must be int, got 'x'"),
        ({"speed": 1}, "unknown key 'speed'"),
        ({"version": 2}, "'version' is 2 and this agent reads 1"),
        ({"clips": [{"text": "x"}]}, r"clips\[0\] lacks the key 'path'"),
        ({"plan": {"warm_up": -1}}, "plan.warm_up must be 0 or more"),
        ({"plan": {"budget_seconds": 0}}, "plan.budget_seconds must be above 0"),
        ({"plan": {"max_samples": 3}}, r"plan.max_samples \(3\) must not be below"),
        ({"plan": {"samples": 3}}, "plan has an unknown key 'samples'"),
        ({"seed": 8}, "the job was changed after it was made"),
    ],
)
def test_a_wrong_job_names_the_key(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=rf"^job\.json: .*{complaint}"):
        job_from(paper_job("a").to_table() | change, "job.json")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"threads": 0}, "'threads' is 0"),
        ({"provider": "cuda"}, "provider must be one of cpu, coreml"),
        ({"thraeds": 1}, "unknown key 'thraeds'"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, Any], complaint: str) -> None:
    job = paper_job("a").to_table()
    job["cases"][0]["settings"] = table
    with pytest.raises(BadInput, match=complaint):
        job_from(job, "job.json")


def test_two_cases_of_one_name_are_refused() -> None:
    job = paper_job("a", "b")
    twice = replace(job, cases=(job.cases[0], job.cases[0]))
    with pytest.raises(BadInput, match="has 'a' twice"):
        job_from(twice.to_table(), "job.json")


@pytest.mark.parametrize("text", ["{", "[" * 200_000])
def test_not_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(BadInput, match="not valid JSON"):
        read_job(tmp_path)
    assert isinstance(paper_job("a"), Job)
    assert Plan().timeout_seconds == 900


def lines(count: int) -> list[str]:
    pen = Pen()
    pen.write(*[Reading(temperature=float(n)) for n in range(count)])
    return [stamped.to_json() for stamped in pen.events]


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_wherever_the_power_goes_only_the_torn_line_is_lost(cut: int) -> None:
    whole = "".join(f"{line}\n" for line in lines(3)).encode()
    cut %= len(whole) + 1
    kept = whole[:cut].count(b"\n")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(whole[:cut])
        assert [stamped.to_json() for stamped in read_journal(path)] == lines(3)[:kept]
        with Journal(path) as journal:
            journal.append(lines(1)[0])
        found = [stamped.to_json() for stamped in read_journal(path)]
    assert found == [*lines(3)[:kept], lines(1)[0]]


def test_a_journal_of_nothing_but_a_long_torn_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(bytes(200_000))  # a power cut may leave zeros
    with Journal(path):
        assert path.stat().st_size == 0


def test_any_other_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join([lines(1)[0], '{"kind": "sample"}', lines(1)[0], ""]))
    with pytest.raises(BadInput, match=r"journal\.jsonl, line 2: .*lacks the key"):
        list(read_journal(path))


def test_events_of_a_newer_agent_are_kept(tmp_path: Path) -> None:
    known = json.loads(lines(1)[0])
    line = json.dumps({**known, "kind": "fan"})
    stamped = Stamped.from_json(line)
    assert isinstance(stamped.event, Unknown)
    assert json.loads(stamped.to_json()) == json.loads(line)
    with pytest.raises(ValueError, match="temperature must be float"):
        Stamped.from_json(json.dumps({**known, "temperature": "hot"}))
    assert JobEnded(1, 0).kind == "job_ended"
