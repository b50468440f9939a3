"""Whatever is wrong with the results or the terminal: one clear line, and the app stays up."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.store import schema
from bench.store.store import Store
from tests.tui.measured import add_half_a_journal, make_store, measurement
from tests.tui.walking import opened, press, read, seen
from tui.__main__ import main
from tui.app import SecateurApp
from tui.picture import settled
from tui.source.stored import StoredSource

pytestmark = pytest.mark.asyncio
SMALL = (40, 12)
USUAL = (80, 24)

#: What makes a store bad, and undoes at the end what would hold up others.
Spoil = Callable[[Path], Iterator[None]]


def missing(store: Path) -> Iterator[None]:
    store.unlink()
    yield


def locked(store: Path) -> Iterator[None]:
    with closing(sqlite3.connect(store, isolation_level=None)) as sql:
        sql.execute("PRAGMA journal_mode = DELETE")
        sql.execute("BEGIN EXCLUSIVE")
        yield


def of_a_newer_version(store: Path) -> Iterator[None]:
    with closing(sqlite3.connect(store)) as sql:
        sql.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    yield


def half_imported(store: Path) -> Iterator[None]:
    store.unlink()
    add_half_a_journal(store, store.parent / "job")
    yield


def with_nan_for_a_latency(store: Path) -> Iterator[None]:
    with closing(sqlite3.connect(store)) as sql, sql:
        sql.execute("UPDATE cases SET measurement = replace(measurement, '0.04', 'NaN')")
        sql.execute("DROP TABLE rows")
    yield


def with_0_results(store: Path) -> Iterator[None]:
    store.unlink()
    with Store.at(store):
        pass
    yield


def as_it_should_be(store: Path) -> Iterator[None]:
    yield


WALK: list[tuple[Spoil, tuple[int, int], str]] = [
    (missing, USUAL, "✗ There is no store"),
    (locked, USUAL, "another process has been writing this store for 0.1 s"),
    (of_a_newer_version, USUAL, "was written by a newer Secateur"),
    (half_imported, USUAL, "… Its journal ends before anything of it was measured."),
    (with_nan_for_a_latency, USUAL, "What the store keeps of it cannot be read: import its"),
    (with_0_results, USUAL, "Nothing has been measured yet."),
    (as_it_should_be, SMALL, "The terminal is too small: 60 columns and 16 lines are needed."),
]


@pytest.mark.parametrize(("spoil", "size", "line"), WALK, ids=[one[0].__name__ for one in WALK])
async def test_a_clear_line_is_on_the_screen(
    tmp_path: Path, spoil: Spoil, size: tuple[int, int], line: str
) -> None:
    one = measurement("net-dense", "dense", 0.0, 0.058, 40.0)
    store = make_store(tmp_path / "results.sqlite", [one])
    spoiled = spoil(store)
    next(spoiled)
    app = SecateurApp(StoredSource(store, patience=0.1))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await press(pilot, "end")
        await settled(pilot)
        assert line in read(pilot)
        assert "Traceback" not in seen(pilot)
        await press(pilot, "r", "c", "x", "m", "enter", "escape", "4", "5", "3", "1")
        assert app.is_running
    next(spoiled, None)


#: What is in the file that is named, and what is said of it.
NO_SENSITIVITY = (
    (None, "cannot be read (No such file or directory)"),
    (b"{", "is not JSON (Expecting property name"),
    (b"\xff\xfe", "is not JSON ("),
    (
        b'{"model": "net"}',
        "is JSON, but no sensitivity (the record lacks the key",
    ),
)


async def test_a_wrong_sensitivity_is_named_on_its_screen_and_hides_no_other(
    tmp_path: Path,
) -> None:
    store, wrong = make_store(tmp_path / "results.sqlite"), tmp_path / "wrong.json"
    async with opened(store, sensitivities=[wrong]) as pilot:
        for content, line in NO_SENSITIVITY:
            if content is not None:
                wrong.write_bytes(content)
            await press(pilot, "1", "3")
            await settled(pilot)
            assert f"✗ {wrong.resolve()}".replace(" ", "") in read(pilot).replace(" ", "")
            assert line in read(pilot)
        cell = {"sparsity": 0.5, "divergence": 0.1, "score": None}
        table = {
            "model": "net", "method": "obs", "by": "layer", "unit": "token", "clips": 1,
            "answers": 2, "calibration_clips": 0, "seed": 0, "dense": None,
            "rows": [{"name": "encoder.fc1", "layers": [], "weights": 1, "cells": [cell]}],
        }  # fmt: skip
        (tmp_path / "sensitivity.json").write_text(json.dumps(table))
        await press(pilot, "1", "3")
        await settled(pilot)
        assert line in read(pilot)
        assert "encoder.fc1" in seen(pilot)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no such results file"),
        (b"{", "line 1"),
        (b"[]", "line 1: the record is not an object"),
        (b'{"bundle": 3}', "line 1"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b'{"latency": NaN}', "line 1"),
    ],
)
async def test_a_bad_results_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "results.jsonl"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


async def test_without_results_the_command_shows_the_demo_or_says_what_to_run(
    tmp_path: Path,
) -> None:
    homeless = {**os.environ, "SECATEUR_STORE": str(tmp_path / "s.sqlite"),
                "SECATEUR_DATA": str(tmp_path)}  # fmt: skip
    command = [sys.executable, "-m", "pipeline", "tui"]
    done = subprocess.run(
        command, cwd=tmp_path, env=homeless, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "Nothing is stored" in done.stderr
    assert "Traceback" not in done.stderr
