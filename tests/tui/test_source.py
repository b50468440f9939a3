"""What the sources read, and what they say of what cannot be read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.store.store import Store
from speech.errors import BadInput
from tests.tui.measured import add_half_a_journal, make_file, make_store, measurement, some
from tui.opening import source_of
from tui.source.filed import FileSource
from tui.source.records import Place, Record, Source
from tui.source.stored import StoredSource


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "results.sqlite")


def place(source: Source, name: str) -> Place:
    return next(one for one in source.places() if one.name == name)


def everything(source: Source, name: str) -> list[Record]:
    batches = source.records(place(source, name))
    return [record for batch in batches for record in batch]


def asked(path: Path, question: str) -> None:
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute(question)


def both(tmp_path: Path) -> list[Source]:
    return [
        source_of(make_store(tmp_path / "r.sqlite")),
        source_of(make_file(tmp_path / "results.jsonl")),
    ]


def test_store_and_file_say_the_same(tmp_path: Path) -> None:
    told = []
    for source in both(tmp_path):
        rows = [one.row for one in everything(source, "pi")]
        told.append(sorted((row.name, row.measured_at, row.wer, row.latency_ms) for row in rows))
    assert told[0] == told[1]
    assert len(told[0]) == 10  # the older bundle of the same name is another one
    newest = ("net-obs-70", "2026-03-01T10:00:00+00:00", pytest.approx(6.4), pytest.approx(39.9))
    assert newest in told[0]


def test_devices_have_the_budgets_of_what_they_say_they_are(store: Path) -> None:
    found = place(source_of(store), "pi")
    assert (found.kind, found.count, found.about) == ("measured", 11, "Raspberry Pi 5 Model B")
    assert found.limits.at_most["memory"] == 1024
    guess = place(source_of(store), "pi-5")
    assert guess.kind == "estimated"
    assert not any(one.name.endswith("gb") for one in source_of(store).places())


def test_samples_are_read_of_one_result_only(tmp_path: Path) -> None:
    for source in both(tmp_path):
        record = next(r for r in everything(source, "pi") if r.row.name == "net-obs-50")
        detail = source.detail(record)
        assert len(detail.measurement.samples) == 4
        assert detail.measurement.environment["device"] == "pi"
        assert detail.bundle is None
        assert source.computed(detail, None) is None


def test_the_past_is_of_all_devices_and_in_order(tmp_path: Path) -> None:
    for source in both(tmp_path):
        record = next(r for r in everything(source, "zero") if "obs" in r.row.name)
        past = source.past(record)
        assert [one.row.measured_at[:7] for one in past][:2] == ["2026-01", "2026-02"]
        assert {one.row.device for one in past} == {"pi", "zero"}
        assert len({one.key for one in past}) == 4


def test_a_journal_that_is_not_whole_yet_is_shown_as_far_as_it_goes(
    store: Path, tmp_path: Path
) -> None:
    add_half_a_journal(store, tmp_path / "job")
    rows = [one.row for one in everything(source_of(store), "pi")]
    unfinished = [row for row in rows if row.latency_ms is None and row.problem is None]
    assert len(unfinished) >= 1


def test_a_damaged_record_is_a_row_that_says_so_and_not_the_end(store: Path) -> None:
    asked(store, "UPDATE cases SET measurement = '{\"latency\": NaN}' WHERE id = 3")
    asked(store, "UPDATE cases SET measurement = '[1]' WHERE id = 4")
    asked(store, "UPDATE cases SET measurement = '{\"strange\": 1}' WHERE id = 5")
    asked(store, "DROP TABLE rows")
    source = source_of(store)
    rows = [one.row for name in ("pi", "zero") for one in everything(source, name)]
    broken = [row for row in rows if row.problem and "cannot be read" in row.problem]
    assert len(broken) == 3
    assert len(rows) > 8


def test_what_is_new_is_noticed_and_reading_is_not_news(store: Path) -> None:
    source = source_of(store)
    before = source.stamp()
    everything(source, "pi")
    assert source.stamp() == before
    with Store.at(store) as found:
        found.add_results([measurement("net-new", "obs", 0.5, 0.06, 10.0)], "pi")
    assert source.stamp() != before


def test_a_file_that_grows_is_read_again(tmp_path: Path) -> None:
    file = make_file(tmp_path / "results.jsonl", some()[:2])
    source = FileSource(file)
    assert len(everything(source, "pi")) == 2
    before = source.stamp()
    make_file(file)
    assert source.stamp() != before
    assert len(everything(source, "pi")) == 10


def test_nothing_to_guess_from_is_said(store: Path) -> None:
    source = source_of(store)
    with pytest.raises(BadInput, match="nothing to reckon pi-5 from"):
        list(source.records(place(source, "pi-5")))


def test_an_empty_store_has_no_places(tmp_path: Path) -> None:
    with Store.at(tmp_path / "empty.sqlite"):
        pass
    assert list(source_of(tmp_path / "empty.sqlite").places()) == []


def test_bad_stores_are_one_sentence(tmp_path: Path, store: Path) -> None:
    with pytest.raises(BadInput, match="There is no store"):
        source_of(tmp_path / "missing.sqlite")
    assert not (tmp_path / "missing.sqlite").exists()
    asked(store, "PRAGMA user_version = 999")
    with pytest.raises(BadInput, match="newer Secateur"):
        source_of(store)
    other = tmp_path / "other.sqlite"
    asked(other, "CREATE TABLE x (y)")
    with pytest.raises(BadInput, match="SQLite file of something else"):
        source_of(other)


def test_a_locked_store_is_said_soon(tmp_path: Path) -> None:
    path = make_store(tmp_path / "results.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = DELETE")
        sql.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BadInput, match="another process has been writing this store"):
            StoredSource(path, patience=0.1).places()


def test_sensitivities_lie_beside_the_results_or_are_named(store: Path, tmp_path: Path) -> None:
    cell = {"sparsity": 0.5, "divergence": 0.1, "score": None}
    table = {
        "model": "net", "method": "obs", "by": "layer", "unit": "token", "clips": 1, "answers": 2,
        "calibration_clips": 0, "seed": 0, "dense": None,
        "rows": [{"name": "a", "layers": [], "weights": 1, "cells": [cell]}],
    }  # fmt: skip
    (tmp_path / "sensitivity-net.json").write_text(json.dumps(table))
    named = tmp_path / "deep" / "other.json"
    named.parent.mkdir()
    named.write_text(json.dumps(table | {"model": "other"}))
    found = source_of(store, [named]).sensitivities()
    assert [one.model for one in found.found] == ["other", "net"]
    named.write_text("[]")
    read = source_of(store, [named]).sensitivities()
    assert [one.model for one in read.found] == ["net"]
    assert "other.json is JSON, but no sensitivity" in read.faults[0]
