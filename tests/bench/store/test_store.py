"""What goes into the store comes out again, once, whatever happens in between."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent.events import JobStarted, Stamped
from bench.agent.measurement import Heard, Measurement, Sample
from bench.agent.summary import summarise_job
from bench.scored import scored
from bench.store import folding, schema
from bench.store.store import Store, default_place
from runtime.bundle import Bundle
from speech.corpora.corpus import Clip
from speech.errors import BadInput
from tests.bench.jobs import measured, run, write_small_job
from tests.bench.store.journals import small_job, write_folder

TABLES = ("lines", "cases", "turns", "samples", "phases", "transcripts", "readings")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "results.sqlite"


def counts(place: Path) -> dict[str, int]:
    with closing(sqlite3.connect(place)) as sql:
        return {name: sql.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def ask(place: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(place)) as sql:
        return sql.execute(question).fetchall()


def test_a_journal_comes_back_as_what_it_folds_to_with_every_sample(
    tmp_path: Path, place: Path
) -> None:
    job, events = small_job()
    with Store.at(place) as store:
        assert store.add_folder(write_folder(tmp_path / "job", job, events), "pi") == len(events)
        found = store.measurements()
    wanted = scored(summarise_job(job, events), job.normalizer)
    assert [one.environment["device"] for one in found] == ["pi", "pi"]
    assert found == [replace(w, environment={**w.environment, "device": "pi"}) for w in wanted]
    assert found[0].score is not None
    assert counts(place) == {
        "lines": len(events), "cases": 2, "turns": 4, "samples": 16, "phases": 12,
        "transcripts": 4, "readings": 16,
    }  # fmt: skip
    slowest = 'SELECT name, max(seconds) FROM samples JOIN cases ON cases.id = "case"'
    assert ask(place, slowest) == [("b", 2.4)]
    lines = ask(place, "SELECT text FROM lines ORDER BY number")
    assert [Stamped.from_json(text) for (text,) in lines] == events


def test_what_the_agent_really_wrote_is_understood(
    tmp_path: Path, place: Path, bundle: Path, clips: tuple[Clip, ...]
) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    job = write_small_job(folder, [bundle], clips)
    code, printed = run(folder)
    assert code == 0
    with Store.at(place) as store:
        assert store.add_folder(folder, "this") >= len(printed)
        [found] = store.measurements()
        assert list(store.manifests().values()) == [Bundle.open(bundle).manifest]
    [wanted] = scored(measured(folder, job), job.normalizer)
    assert found == replace(wanted, environment={**wanted.environment, "device": "this"})
    assert counts(place)["samples"] == len(found.samples) == 4
    assert ask(place, "SELECT count(DISTINCT turn) FROM samples") == [(2,)]


def test_twice_is_once(tmp_path: Path, place: Path) -> None:
    folder = write_folder(tmp_path / "job", *small_job())
    with Store.at(place) as store:
        store.add_folder(folder, "pi")
        before = counts(place), store.measurements()
        assert store.add_folder(folder, "pi") == 0
        assert (counts(place), store.measurements()) == before
    with Store.at(place) as store:
        assert store.measurements() == before[1]


def test_a_journal_that_grows_adds_only_what_is_new_and_a_torn_line_waits(
    tmp_path: Path, place: Path
) -> None:
    job, events = small_job()
    half = len(events) // 2
    whole = tmp_path / "whole.sqlite"
    with Store.at(place) as store:
        torn = events[half].to_json()[:-3]
        folder = write_folder(tmp_path / "job", job, events[:half], torn=torn)
        assert store.add_folder(folder, "pi") == half
        unfinished = store.measurements()
        assert sum(len(one.samples) for one in unfinished) < 16
        assert store.add_folder(write_folder(folder, job, events), "pi") == len(events) - half
        assert store.add_folder(write_folder(folder, job, events[:half]), "pi") == 0
        found = store.measurements()
    with Store.at(whole) as store:
        store.add_folder(write_folder(folder, job, events), "pi")
        assert store.measurements() == found
    assert counts(place) == counts(whole)


def test_what_a_device_lost_in_a_power_cut_is_kept_and_counts_no_more(
    tmp_path: Path, place: Path
) -> None:
    job, events = small_job("a")
    again = JobStarted(job.id, "1", True, {"cores": 4})
    lost = len(events) // 2
    other = [*events[:lost], replace(events[lost], event=again), *events[lost + 1 :]]
    with Store.at(place) as store:
        folder = write_folder(tmp_path / "job", job, events)
        store.add_folder(folder, "pi")
        store.add_folder(write_folder(folder, job, other), "pi")
        [found] = store.measurements()
    assert found.samples == summarise_job(job, other)[0].samples
    assert counts(place)["lines"] == len(events) + 1
    assert ask(place, "SELECT count(*) FROM lines WHERE current") == [(len(other),)]


def test_one_job_id_on_two_devices_is_two_jobs(tmp_path: Path, place: Path) -> None:
    folder = write_folder(tmp_path / "job", *small_job("a"))
    with Store.at(place) as store:
        store.add_folder(folder, "one")
        store.add_folder(folder, "two")
        assert [m.environment["device"] for m in store.measurements()] == ["one", "two"]


def test_a_newer_fold_is_made_of_the_lines(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.at(place) as store:
        store.add_folder(write_folder(tmp_path / "job", *small_job()), "pi")
        before = counts(place), store.measurements()
        store._sql.execute('UPDATE cases SET measurement = \'{"of": "another version"}\'')
        assert store.measurements() == []
        assert re.search(r"job \w+ of pi, case a: .*unknown key 'of'", store.problems[0])
        monkeypatch.setattr(folding, "FOLD", folding.FOLD + 1)
        assert (store.measurements(), counts(place)) == before[::-1]


def test_results_without_a_journal_are_kept_once_and_a_journal_knows_more(
    tmp_path: Path, place: Path
) -> None:
    sample, heard = Sample("0", 1.0, 2.0, {}), Heard("0", "a", "b")
    old = Measurement("/b/x", "x", "2026", 1, samples=(sample,), transcripts=(heard,))
    job, events = small_job("a")
    [seen] = summarise_job(job, events[:-5])
    [whole] = summarise_job(job, events)
    seen, whole = (replace(one, environment={"device": "pi"}) for one in (seen, whole))
    assert len(seen.samples) < len(whole.samples)
    with Store.at(place) as store:
        assert store.add_results([old, seen], "this") == 2
        assert store.add_results([old, seen], "this") == 0
        assert store.add_results([whole, seen], "this") == 1
        found = store.measurements()
        assert found[0] == replace(old.with_clips(), environment={"device": "this"})
        assert found[1].samples == whole.samples
        store.add_folder(write_folder(tmp_path / "job", job, events), "pi")
        assert store.add_results([seen], "this") == 0
        assert [(one.name, len(one.samples)) for one in store.measurements()] == [
            ("x", 1), ("a", len(whole.samples))
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            '{"kind": "reading", "at": "", "mono": NaN, "boot": ""}',
            "line 2: mono must be a finite number",
        ),
        (
            '{"kind": "novel", "at": "", "mono": 1, "boot": "", "x": Infinity}',
            "line 2: novel.x must be a finite number",
        ),
        ('{"kind": "phase", "at": "", "mono": 1, "boot": ""}', "line 2: .* lacks the key 'case'"),
        ("{", "line 2: "),
        (
            '{"kind": "job_started", "at": "", "mono": 1, "boot": "", "job": "another", "agent":'
            ' "1", "resumed": false, "environment": {}}',
            "line 2: is of the job 'another'",
        ),
    ],
)
def test_a_bad_line_is_named_and_left_out(
    tmp_path: Path, place: Path, line: str, complaint: str
) -> None:
    job, events = small_job("a")
    folder = write_folder(tmp_path / "job", job, events[:1])
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write(line + "\n")
    with Store.at(place) as store:
        assert store.add_folder(folder, "pi") == 1
        assert re.search(rf"journal\.jsonl, {complaint}.*left out", store.problems[0])
        assert [one.case for one in store.measurements()] == ["a"]


def test_a_journal_of_another_job_is_not_taken_in(tmp_path: Path, place: Path) -> None:
    folder = write_folder(tmp_path / "job", small_job("a")[0], small_job("b")[1])
    with Store.at(place) as store:
        with pytest.raises(BadInput, match=r"line 1: is of the job .*put the right one there"):
            store.add_folder(folder, "pi")
        assert store.measurements() == []


def test_an_import_that_breaks_off_leaves_nothing(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "job", *small_job())

    def no_power(*_: object) -> None:
        raise KeyboardInterrupt

    with Store.at(place) as store:
        with monkeypatch.context() as patch:
            patch.setattr(folding, "_add_readings", no_power)
            with pytest.raises(KeyboardInterrupt):
                store.add_folder(folder, "pi")
        assert set(counts(place).values()) == {0}
        assert store.add_folder(folder, "pi") > 0


def test_what_a_bundle_says_is_kept_under_its_hash(bundle: Path, place: Path) -> None:
    opened = Bundle.open(bundle)
    with Store.at(place) as store:
        for _ in range(2):
            store.add_bundle(opened)
        assert store.manifests() == {opened.sha256: opened.manifest}


def test_where_a_bundle_lay_is_kept_if_it_is_the_one(bundle: Path, place: Path) -> None:
    sha256 = Bundle.open(bundle).sha256
    with Store.at(place) as store:
        for _ in range(2):
            store.add_bundles([(bundle, sha256), (bundle, "0" * 64), (bundle / "none", sha256)])
        assert store.places() == [(bundle.resolve(), sha256)]
        assert list(store.manifests()) == [sha256]


def test_this_is_another_machine_in_another_machine_s_results(place: Path) -> None:
    mine, pis = (
        Measurement("/b/x", name, "2026", 1, job=name, environment={"device": name})
        for name in ("this", "pi")
    )
    with Store.at(place) as store:
        store.add_results([mine, pis], "laptop")
        assert [one.environment["device"] for one in store.measurements()] == ["laptop", "pi"]


def test_the_place_is_the_users_to_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECATEUR_DATA", str(tmp_path))
    monkeypatch.delenv("SECATEUR_STORE", raising=False)
    assert default_place() == tmp_path / "results.sqlite"
    monkeypatch.setenv("SECATEUR_STORE", "/elsewhere/mine.sqlite")
    assert default_place() == Path("/elsewhere/mine.sqlite")


@pytest.mark.parametrize(
    ("statements", "complaint"),
    [
        (["PRAGMA user_version = 99", f"PRAGMA application_id = {schema.APPLICATION}"],
         r"newer Secateur \(its schema is 99, this one knows \d+\): update"),
        ([], "an SQLite file of something else"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_for_us_is_left_alone(
    place: Path, statements: list[str], complaint: str
) -> None:
    place.parent.mkdir()
    with closing(sqlite3.connect(place)) as sql:
        for statement in ["CREATE TABLE mine (x)", *statements]:
            sql.execute(statement)
    with pytest.raises(BadInput, match=rf"results\.sqlite .*{complaint}"), Store.at(place):
        pass
    assert ask(place, "SELECT name FROM sqlite_schema") == [("mine",)]


def test_a_file_that_is_no_store_is_one_sentence(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(BadInput, match="is no whole store"), Store.at(place):
        pass
    with pytest.raises(BadInput, match="cannot be made"), Store.at(place / "below"):
        pass


def test_an_older_store_is_brought_up_to_date(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.at(place) as store:
        store.add_folder(write_folder(tmp_path / "job", *small_job()), "pi")
        before = store.measurements()
    later = (*schema.MIGRATIONS, ("ALTER TABLE devices ADD COLUMN note TEXT", "CREATE TABLE n (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    with Store.at(place) as store:
        assert store.measurements() == before
    assert ask(place, "SELECT name, note FROM devices") == [("pi", None)]
    broken = (*later, ("CREATE TABLE half (x)", "CREATE TABLE n (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(BadInput, match="cannot be used"), Store.at(place):
        pass
    assert ask(place, "PRAGMA user_version") == [(len(later),)]
    assert ask(place, "SELECT name FROM sqlite_schema WHERE name = 'half'") == []


def test_another_process_that_writes_is_waited_for_and_then_named(
    tmp_path: Path, place: Path
) -> None:
    folder = write_folder(tmp_path / "job", *small_job("a"))
    with Store.at(place):
        pass
    code = (
        "import sqlite3, sys\n"
        f"sql = sqlite3.connect({str(place)!r}, isolation_level=None)\n"
        "sql.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.readline()\n"
        "sql.execute('COMMIT')"
    )
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with Store.at(place, patience=0.2) as store:
            assert store.measurements() == []  # reading does not wait
        with (
            pytest.raises(BadInput, match=r"another process has been writing .* for 0\.2 s"),
            Store.at(place, patience=0.2) as store,
        ):
            store.add_folder(folder, "pi")
        other.communicate("go on\n")
    with Store.at(place) as store:
        assert store.add_folder(folder, "pi") > 0


def test_two_processes_import_two_journals_into_a_store_that_is_not_there_yet(
    tmp_path: Path, place: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from bench.store.store import Store\n"
        f"with Store.at(Path({str(place)!r})) as store:\n"
        "    for folder in sys.argv[1:]: store.add_folder(Path(folder), 'pi')"
    )
    folders = []
    for name in "pqrs":
        job, events = small_job(name)
        folders.append(str(write_folder(tmp_path / name, job, events)))
    halves = (folders[:3], folders[1:])
    running = [subprocess.Popen([sys.executable, "-c", code, *half]) for half in halves]
    assert [process.wait(60) for process in running] == [0, 0]
    with Store.at(place) as store:
        assert sorted(one.name for one in store.measurements()) == list("pqrs")
    assert counts(place)["samples"] == 4 * 8
