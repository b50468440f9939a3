"""What a comparison shows of thousands of measurements, without reading them."""

from __future__ import annotations

import csv
import json
import random
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.agent.measurement import Measurement
from bench.report_files import csv_parts, json_parts
from bench.results import write_results
from bench.rows import Row, rows_from
from bench.sources import open_selection, read_sources
from bench.store import row_table, schema
from bench.store.store import Store
from bench.store.summaries import Filter, Summaries
from benchmarks.large_store import write_store
from runtime.bundle import Bundle
from speech.errors import BadInput
from tests.bench.conftest import write_tiny_bundle
from tests.bench.store.journals import small_job, write_folder
from tests.tui.measured import measurement, some

EVERYTHING = Filter(newest=False)


def rows(place: Path, chosen: Filter = EVERYTHING) -> list[Row]:
    with Summaries.at(place) as store:
        return [one.row for one in store.chosen(chosen)]


def asked(place: Path, *statements: str) -> None:
    with closing(sqlite3.connect(place)) as sql, sql:
        for statement in statements:
            sql.execute(statement)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Journals, results, and a bundle that was seen after what was measured of it."""
    bundle = Bundle.open(write_tiny_bundle(tmp_path / "tiny", "tiny"))
    of_bundle = replace(measurement("tiny", "obs", 0.5, 0.1, 9), bundle_sha256=bundle.sha256)
    path = tmp_path / "results.sqlite"
    with Store.at(path) as store:
        store.add_folder(write_folder(tmp_path / "job", *small_job()), "mac")
        store.add_results([*some(), of_bundle], "this")
        store.add_bundle(bundle)
    return path


def test_rows_say_what_the_whole_measurements_say(place: Path) -> None:
    with Store.at(place) as store:
        wanted = rows_from(store.measurements(), store.manifests())
    assert rows(place) == wanted
    assert [row.precision for row in wanted if row.name == "tiny"] == ["fp32"]
    assert len(wanted) == 16


@pytest.mark.parametrize(
    "aged",
    [
        ("DROP TABLE rows", "ALTER TABLE jobs DROP COLUMN bytes", "PRAGMA user_version = 2"),
        ("DROP TABLE rows", "CREATE TABLE rows (name TEXT, fewer TEXT)"),
    ],
    ids=["of the version before", "with other columns"],
)
def test_an_older_store_gets_its_rows_once(place: Path, aged: tuple[str, ...]) -> None:
    wanted = rows(place)
    asked(place, *aged)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        with Summaries.at(place, progress=lambda *counts: told.append(counts)) as store:
            assert [one.row for one in store.chosen(EVERYTHING)] == wanted
    assert told == [(0, 16), (16, 16)]
    with Store.at(place) as store:
        assert len(schema.MIGRATIONS) == schema.version(store._sql)


def test_a_case_that_cannot_be_read_costs_only_itself(place: Path) -> None:
    sound = rows(place)
    asked(place, "UPDATE cases SET measurement = '{\"latency\": NaN}' WHERE id = 3",
          "UPDATE cases SET measurement = replace(measurement, '\"threads\": 1', '\"threads\": -1')"
          " WHERE id = 4", "DROP TABLE rows")  # fmt: skip
    found = rows(place)
    assert found[:2] + found[4:] == sound[:2] + sound[4:]
    assert found[2].problem and "import its journal anew" in found[2].problem
    assert (found[2].name, found[2].device) == (sound[2].name, sound[2].device)


@pytest.mark.parametrize("value", ["9e999", "-1.0", "1e308, mean_ms = 1e308"])
def test_a_row_of_numbers_that_nobody_measured_costs_only_itself(place: Path, value: str) -> None:
    sound = rows(place)
    asked(place, f'UPDATE rows SET latency_ms = {value} WHERE "case" = 5')
    found = rows(place)
    assert found[4].problem and found[4].latency_ms is None
    assert found[:4] + found[5:] == sound[:4] + sound[5:]


def some_times(seed: int) -> list[Measurement]:
    """Few bundles, settings and moments, so that many are measured anew."""
    draw = random.Random(seed)
    endings: list[dict[str, Any]] = [
        {}, {}, {"samples": (), "latency": None}, {"error": "Was killed."}
    ]  # fmt: skip
    return [
        replace(
            measurement(draw.choice("ab"), "obs", 0.5, 0.1, 10, device=draw.choice(["pi", "mac"])),
            measured_at=f"2026-0{draw.randrange(1, 4)}-01",
            settings={"threads": 1, "window": draw.choice([None, 5.0])},
            job=f"{number}",
            **draw.choice(endings),
        )
        for number in range(60)
    ]


def newest_of(found: Iterable[Row]) -> list[Row]:
    """The plain way: of each identity the highest rank, and of equal ones the last."""
    kept: dict[tuple[object, ...], Row] = {}
    every = list(found)
    for row in every:
        if row.identity not in kept or row.rank >= kept[row.identity].rank:
            kept[row.identity] = row
    return [row for row in every if any(row is one for one in kept.values())]


@pytest.mark.parametrize("seed", range(3))
def test_the_newest_are_the_same_in_a_store_and_in_a_file(tmp_path: Path, seed: int) -> None:
    measured = some_times(seed)
    wanted = newest_of(rows_from(measured))
    assert 4 < len(wanted) < 20
    with Store.at(tmp_path / "r.sqlite") as store:
        store.add_results(measured, "this")
    write_results(tmp_path / "r.jsonl", measured)
    for path in (tmp_path / "r.sqlite", tmp_path / "r.jsonl"):
        with open_selection([path], chosen=Filter()) as selection:
            assert [one.row for one in selection.rows()] == wanted
            assert [one.row for one in selection.rows(last=3)] == wanted[-3:]
            assert selection.count() == len(wanted)
    with open_selection([tmp_path / "r.jsonl", tmp_path / "r.sqlite"], chosen=Filter()) as both:
        assert sorted(map(repr, wanted)) == sorted(repr(one.row) for one in both.rows())


def test_settings_in_another_order_are_the_same_settings() -> None:
    one, other = rows_from(
        replace(measurement("a", "obs", 0.5, 0.1, 10), settings=settings)
        for settings in ({"window": 5, "arena": False}, {"arena": False, "window": 5})
    )
    assert one.identity == other.identity


def test_whole_measurements_are_found_wherever_they_are(tmp_path: Path, place: Path) -> None:
    more = [measurement("more", "obs", 0.5, 0.1, 10), measurement("ä", "obs", 0.5, 0.1, 11)]
    write_results(tmp_path / "r.jsonl", more)
    with Store.at(place) as store:
        stored = store.measurements()
    assert read_sources([tmp_path / "r.jsonl", place]).measurements == [*more, *stored]
    with open_selection([tmp_path / "r.jsonl", place]) as selection:
        [last] = selection.rows(last=1)
        assert selection.findings([last.number, 2]).measurements == [stored[-1], more[1]]


def test_showing_rows_reads_no_measurement(place: Path) -> None:
    """Such as samples and transcripts, which are by far the most of a store."""
    with Summaries.at(place) as store:

        def refused(action: int, table: str | None, *_: object) -> int:
            bulky = action == sqlite3.SQLITE_READ and table not in ("rows", "sqlite_master")
            return sqlite3.SQLITE_DENY if bulky else sqlite3.SQLITE_OK

        store._sql.set_authorizer(refused)
        assert len(list(store.chosen(Filter()))) == store.count(Filter()) == 15
        assert store.named("net-dense")
        store.check(Filter(devices=["pi"], methods=["obs"]))
        with pytest.raises(sqlite3.DatabaseError):
            store.whole(1)


def test_the_newest_are_found_by_an_index(place: Path) -> None:
    where, words = Filter(devices=["pi"]).condition()
    with Summaries.at(place) as store:
        question = f"EXPLAIN QUERY PLAN SELECT * FROM rows WHERE {where}"
        plan = " ".join(step[-1] for step in store._sql.execute(question, words))
    assert "USING INDEX rows_by_device" in plan
    assert "USING COVERING INDEX rows_by_identity (identity=?" in plan


def test_a_journal_that_is_here_is_not_counted_again(tmp_path: Path, place: Path) -> None:
    journal = tmp_path / "job" / "journal.jsonl"
    job = json.loads((tmp_path / "job" / "job.json").read_text())["id"]
    with Store.at(place) as store:
        store._sql.execute("UPDATE jobs SET bytes = NULL")
        assert store.has_all_of(journal, "mac", job)

        def refused(action: int, table: str | None, *_: object) -> int:
            is_line = action == sqlite3.SQLITE_READ and table == "lines"
            return sqlite3.SQLITE_DENY if is_line else sqlite3.SQLITE_OK

        store._sql.set_authorizer(refused)
        assert store.has_all_of(journal, "mac", job)
        journal.write_text(journal.read_text() + "{}\n")
        assert not store.has_all_of(journal, "mac", job)
        assert not store.has_all_of(journal, "pi", job)


def test_a_value_that_nothing_has_is_one_sentence_with_those_that_there_are(place: Path) -> None:
    with Summaries.at(place) as store, pytest.raises(BadInput, match="'po'; there are: mac, pi, z"):
        store.check(Filter(devices=["po"]))


@pytest.mark.parametrize("parts", [json_parts, csv_parts])
def test_memory_does_not_grow_with_the_rows_that_are_written(
    tmp_path: Path, parts: Callable[[Iterable[Row]], Iterator[str]]
) -> None:
    place = tmp_path / "large.sqlite"
    write_store(place, bundles=100, devices=12)
    devices = [f"device-{number}" for number in range(12)]
    found = []
    with Summaries.at(place) as store:
        for chosen in (Filter(devices[:4], newest=False), Filter(devices, newest=False)):
            tracemalloc.start()
            size = sum(map(len, parts(one.row for one in store.chosen(chosen))))
            found.append((size, tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()
    [(few, peak_of_few), (many, peak_of_many)] = found
    assert many > 2.9 * few
    assert peak_of_many < 1.2 * peak_of_few


def test_the_made_up_store_is_what_secateur_itself_would_keep(tmp_path: Path) -> None:
    write_store(tmp_path / "small.sqlite", bundles=30, devices=2)
    with Store.at(tmp_path / "small.sqlite") as store:
        measured, manifests = store.measurements(), store.manifests()
        assert store.problems == []
    assert (len(measured), len(manifests)) == (60, 30)
    assert rows(tmp_path / "small.sqlite") == rows_from(measured, manifests)


@pytest.mark.parametrize("value", ["x", 1])
def test_a_part_of_a_row_is_what_the_row_has(place: Path, value: object) -> None:
    part = row_table.Reader(["name", "wer", "threads", "verdicts"])
    with Summaries.at(place) as store:
        found = [one.row for one in store.chosen(EVERYTHING, reader=part)]
        wanted = [one.row for one in store.chosen(EVERYTHING)]
    for row, whole in zip(found, wanted, strict=True):
        assert (row.name, row.wer, row.threads) == (whole.name, whole.wer, whole.threads)
        assert row.verdicts == whole.verdicts
    damaged = part.row(["n", value, "x", "VALID"])
    assert damaged.name == "n" and damaged.problem


def test_the_parts_are_one_text() -> None:
    every = rows_from(replace(one, name=f"{one.name}-{at}") for at in range(40) for one in some())
    assert len(every) > 500
    found = json.loads("".join(json_parts(every)))
    assert [one["name"] for one in found] == [row.name for row in every]
    assert found[7] == {**asdict(every[7]), "verdicts": list(every[7].verdicts)}
    assert "".join(json_parts([])) == "[]\n"
    lines = list(csv.DictReader("".join(csv_parts(every)).splitlines()))
    assert [line["name"] for line in lines] == [row.name for row in every]
