"""Thousands of damaged journals, jobs, results, rows and lists of devices: an answer or a sentence.

A handful each time; `make test-long` has 2,000 of each.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from bench.agent.job import job_from
from bench.agent.journal import LONGEST_LINE
from bench.folded import measurements_of
from bench.remote.answers import Assembled, Cleaned, Ended, KnownJobs, answer_in
from bench.remote.devices import read_devices
from bench.remote.facts import facts_from, facts_here
from bench.remote.here import Here
from bench.report import markdown
from bench.report_files import csv_parts, json_parts
from bench.results import write_results
from bench.rows import rows_from
from bench.sources import open_selection
from bench.store import row_table
from bench.store.connection import no_progress
from bench.store.journal_lines import JobFolder, read_lines
from bench.store.row_table import NAMES
from bench.store.store import Store
from bench.store.summaries import Filter
from speech.errors import BadInput
from speech.lines import raw_lines
from tests.bench.store.journals import small_job
from tests.mutations import Rng, mutated, scrambled

often = pytest.mark.parametrize(
    "cases", [pytest.param(60, id="some"), pytest.param(2000, id="many", marks=pytest.mark.long)]
)

JOB, EVENTS = small_job()
LINES = [json.loads(event.to_json()) for event in EVENTS]


@contextmanager
def a_sentence_at_most() -> Iterator[None]:
    try:
        yield
    except BadInput as problem:
        check(str(problem))


def check(sentence: str) -> None:
    assert 10 < len(sentence) < 3000
    assert "\n" not in sentence
    sentence.encode()


def damaged_journal(rng: Rng) -> bytes:
    lines = [json.dumps(line).encode() + b"\n" for line in LINES]
    for _ in range(rng.integers(1, 4)):
        at, other = rng.integers(len(lines), size=2)
        match rng.integers(5):
            case 0:
                lines.insert(other, lines[at])
            case 1:
                lines[at], lines[other] = lines[other], lines[at]
            case 2:
                lines[at] = scrambled(lines[at], rng)
            case _:
                lines[at] = json.dumps(mutated(LINES[at % len(LINES)], rng)).encode() + b"\n"
    return b"".join(lines)


@often
def test_journals(cases: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with Store.at(tmp_path / "results.sqlite") as store:
        store._sql.execute("PRAGMA synchronous = OFF")
        for number in range(cases):
            with a_sentence_at_most():
                raw = raw_lines(BytesIO(damaged_journal(rng)), LONGEST_LINE)
                lines, problems = read_lines(JOB, raw, "journal.jsonl")
                for problem in problems:
                    check(problem)
                found = measurements_of(JOB, [line.stamped for line in lines], "pi")
                assert [one.case for one in found] == ["a", "b"]
                assert markdown(rows_from(found))
                if number % 10 == 0:
                    store.add_job(JobFolder(JOB, lines), f"device-{number}")
        assert len(store.measurements()) > cases // 10
        assert store.problems == []


@often
def test_jobs(cases: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(cases):
        with a_sentence_at_most():
            table = json.loads(json.dumps(mutated(JOB.to_table(), rng)))
            assert job_from(table, "job.json").id


def look_at(place: Path) -> int:
    """As the commands do: the rows that are shown and written, then whole measurements."""
    with a_sentence_at_most(), open_selection([place], chosen=Filter()) as selection:
        summaries = list(selection.rows())
        rows = [one.row for one in summaries]
        assert markdown(rows)
        assert "".join(csv_parts(rows))
        assert len(json.loads("".join(json_parts(rows)))) == len(rows)
        selection.findings(one.number for one in summaries)
        for problem in selection.problems:
            check(problem)
        return len(rows)
    return 0


@often
def test_results_files(cases: int, tmp_path: Path) -> None:
    rng, file = np.random.default_rng(2), tmp_path / "results.jsonl"
    measured = measurements_of(JOB, EVENTS, "pi")
    write_results(file, measured)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for number in range(cases):
        at = int(rng.integers(2))
        if number % 3:
            changed = [json.dumps(mutated(line, rng) if n == at else line)
                       for n, line in enumerate(lines)]  # fmt: skip
            file.write_text("\n".join(changed))
        else:
            file.write_bytes(scrambled("\n".join(map(json.dumps, lines)).encode(), rng))
        look_at(file)


@often
def test_rows_of_the_store(cases: int, tmp_path: Path) -> None:
    rng, place = np.random.default_rng(3), tmp_path / "results.sqlite"
    with Store.at(place) as store:
        lines, _ = read_lines(JOB, raw_lines(BytesIO(sound_journal()), LONGEST_LINE), "")
        store.add_job(JobFolder(JOB, lines), "pi")
        [sound, other] = store.measurements()
    change: list[Callable[[], str | bytes]] = [
        lambda: json.dumps(mutated(json.loads(sound.to_json()), rng)),
        lambda: scrambled(sound.to_json().encode(), rng),
    ]
    columns = [name for name in NAMES if name != "verdicts"]
    with closing(sqlite3.connect(place)) as sql:
        sql.execute("PRAGMA synchronous = OFF")
        for number in range(cases):
            text = change[number % 2]()
            with sql:
                sql.execute("UPDATE cases SET measurement = ? WHERE name = 'a'", (text,))
            assert look_at(place) == 2
            with Store.at(place) as store:
                found = store.measurements()
                assert found[-1] == other
                assert len(found) + len(store.problems) == 2
                for problem in store.problems:
                    check(problem)
            if number % 20 == 0:
                with sql:
                    row_table.make_anew(sql, no_progress)
            column = columns[int(rng.integers(len(columns)))]
            with sql, suppress(sqlite3.IntegrityError):
                value = mutated("x" if number % 3 else 1.5, rng)
                value = value if isinstance(value, int | float | str | None) else json.dumps(value)
                sql.execute(f'UPDATE rows SET "{column}" = ? WHERE "case" = 1', (value,))


def sound_journal() -> bytes:
    return "".join(event.to_json() + "\n" for event in EVENTS).encode()


DEVICES = b"""[pi]
target = "me@192.168.1.2"
[kitchen]
target = "pi@kitchen.local"
port = 2222
"""


@often
def test_lists_of_devices(cases: int, tmp_path: Path) -> None:
    rng, file = np.random.default_rng(4), tmp_path / "devices.toml"
    for _ in range(cases):
        file.write_bytes(scrambled(DEVICES, rng))
        problems: list[str] = []
        with a_sentence_at_most():
            assert read_devices(tmp_path, problems)["this"]
        for problem in problems:
            check(problem)


ANSWERS = [
    (Assembled, {"missing": {"0" * 64: 5}, "folders": {"bundle-1": "/home/pi/x"}}),
    (Cleaned, {"freed_bytes": 1, "kept_folders": 2, "open_jobs": ["a"]}),
    (
        KnownJobs,
        {"jobs": [{"id": "a", "created": "b", "host": "c", "running": True, "ended": False}]},
    ),
    (Ended, {"exit": "0", "said": "", "stopped": False}),
]


@often
def test_answers_of_devices(cases: int) -> None:
    rng, link = np.random.default_rng(5), Here()
    known = {key: value for key, value in vars(facts_here()).items() if key != "skew"}
    for number in range(cases):
        kind, sound = ANSWERS[number % len(ANSWERS)]
        text = json.dumps(mutated(sound, rng)).encode()
        facts = json.dumps(mutated(known, rng)).encode()
        with a_sentence_at_most():
            answer_in(link, kind, text if number % 3 else scrambled(text, rng))
        with a_sentence_at_most():
            assert facts_from(facts if number % 3 else scrambled(facts, rng), "pi").python_version
