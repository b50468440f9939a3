"""Whatever is damaged costs only itself, and whatever the system refuses is a sentence."""

from __future__ import annotations

import copy
import json
import pwd
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from textual.widgets import Input

from bench.store.store import Store
from speech.errors import BadInput
from tests.bench.store.journals import small_job, write_folder
from tests.tui.measured import make_file, make_store, measurement
from tests.tui.recorded import PaperRunner, write_recording
from tests.tui.walking import explore, names, opened, press, read, until
from tui import opening
from tui.app import SecateurApp
from tui.heat_map import heat_map
from tui.picture import settled
from tui.source.records import Place, Record
from tui.source.sensitivity_files import read_sensitivity
from tui.source.stored import StoredSource

#: Lines of a results file, each of which is wrong in its own way.
DAMAGED = (
    "{",
    "[]",
    '{"bundle": "\\ud800"}',
    "[" * 100_000,
    '{"latency": NaN}',
    '{"threads": 1' + "0" * 400 + "}",
)


@pytest.mark.asyncio
@pytest.mark.parametrize("line", DAMAGED)
async def test_a_damaged_line_of_a_results_file_costs_itself(tmp_path: Path, line: str) -> None:
    good = [measurement("net-dense", "dense", 0.0, 0.058, 40.0)]
    other = [measurement("net-obs-50", "obs", 0.5, 0.06, 40.0, device="zero")]
    file, rest = make_file(tmp_path / "a.jsonl", good), make_file(tmp_path / "b.jsonl", other)
    file.write_text(file.read_text() + line + "\n" + rest.read_text())
    async with opened(file, (200, 60)) as pilot:
        assert {place.name for place in explore(pilot).places} >= {"pi", "zero"}
        assert names(pilot) == ["net-dense"]
        assert f"{file}, line 2: ".replace(" ", "") in read(pilot).replace(" ", "")
        await press(pilot, "escape")
        assert "line 2" not in read(pilot)


@pytest.mark.asyncio
async def test_a_damaged_journal_costs_no_other_device_of_the_store(tmp_path: Path) -> None:
    job, events = small_job("net-a/t1", "net-b/t1")
    lines = [event.to_json() for event in events]
    at = next(number for number, line in enumerate(lines) if '"sample' in line)
    lines[at] = lines[at].replace('"clip": 0', '"clip": 99').replace('"clip":0', '"clip":99')
    folder = write_folder(tmp_path / "job", job, [])
    (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    store = make_store(tmp_path / "r.sqlite")
    with Store.at(store) as found:
        found.add_folder(folder, "liar")
        assert found.problems
    async with opened(store, (200, 60)) as pilot:
        assert {place.name for place in explore(pilot).places} >= {"pi", "zero", "liar"}
        assert explore(pilot).view.records


class BrokenSource(StoredSource):
    """A fault of ours, which nobody foresaw."""

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        raise ZeroDivisionError("nobody foresaw it")


@pytest.mark.asyncio
async def test_a_fault_of_ours_is_a_sentence_and_the_app_stays_up(tmp_path: Path) -> None:
    app = SecateurApp(BrokenSource(make_store(tmp_path / "r.sqlite")))
    async with app.run_test(size=(200, 60)) as pilot:
        await settled(pilot)
        assert "fault of Secateur's own (ZeroDivisionError: nobody foresaw it)" in read(pilot)
        await press(pilot, "3", "1", "r")
        assert app.fault is None


SCORE = dict.fromkeys(("wer", "wer_low", "wer_high", "cer"), 0.1) | dict.fromkeys(
    ("substitutions", "insertions", "deletions", "clips", "words"), 3
)
CELLS = [{"sparsity": share, "divergence": share / 5, "score": None} for share in (0.5, 0.9)]
SENSITIVITY: dict[str, Any] = {
    "model": "net", "method": "obs", "by": "layer", "unit": "token", "clips": 1, "answers": 2,
    "calibration_clips": 0, "seed": 0, "dense": {**SCORE, "normalizer": "basic"},
    "rows": [{"name": name, "layers": ["a"], "weights": 1, "cells": CELLS} for name in "ab"],
}  # fmt: skip
#: What stands in place of one value.
STRANGE = (None, True, "x", [], {}, -1, 1e308, 10**400, float("nan"), float("inf"), "\ud800", [[1]])


def places_in(value: object, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places_in(value[key], (*place, key))


def test_any_sensitivity_file_is_drawn_or_is_one_sentence(tmp_path: Path) -> None:
    """Each value of a good one replaced by each strange one, or left out."""
    file, drawn, refused = tmp_path / "sensitivity.json", 0, 0
    console = Console(width=80, file=(tmp_path / "drawn").open("w"))
    for place in list(places_in(SENSITIVITY))[1:]:
        for strange in (*STRANGE, ...):
            table = copy.deepcopy(SENSITIVITY)
            part: Any = table
            for key in place[:-1]:
                part = part[key]
            if strange is ...:
                del part[place[-1]]
            else:
                part[place[-1]] = strange
            file.write_text(json.dumps(table))
            try:
                found = read_sensitivity(file)
            except BadInput as problem:
                assert str(file) in str(problem)
                refused += 1
            else:
                console.print(heat_map(found, 80))
                drawn += 1
    assert drawn > 20
    assert refused > 500


@pytest.mark.asyncio
async def test_a_damaged_recording_is_played_as_far_as_it_goes_or_is_a_sentence(
    tmp_path: Path,
) -> None:
    _, folder = write_recording()
    journal = folder / "journal.jsonl"
    whole = journal.read_text().splitlines()
    draw = random.Random(0)
    async with opened(make_store(tmp_path / "r.sqlite"), runner=PaperRunner()) as pilot:
        await press(pilot, "5")
        for line in DAMAGED:
            lines = list(whole)
            lines.insert(draw.randrange(len(lines)), line)
            journal.write_text("\n".join(lines) + "\n", errors="surrogatepass")
            await press(pilot, "p", "tab")
            await settled(pilot)
            pilot.app.screen.query_one(Input).value = str(journal)
            await press(pilot, "enter", "e")
            await until(pilot, lambda: "is no event" in read(pilot))
            assert pilot.app._exception is None


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, without HOME and without folders of our own."""

    def unknown(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "SECATEUR_CONFIG", "SECATEUR_DATA", "SECATEUR_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
@pytest.mark.asyncio
async def test_without_a_home_the_app_runs_and_says_what_it_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_refuse_no_terminal", lambda: None)
    made: list[SecateurApp] = []
    monkeypatch.setattr(SecateurApp, "run", lambda app: made.append(app))
    opening.run(make_store(tmp_path / "r.sqlite"))
    [app] = made
    async with app.run_test(size=(200, 60)) as pilot:
        await settled(pilot)
        assert names(pilot)
        assert "Your home directory is unknown: set HOME" in read(pilot)
        await press(pilot, "escape", "R")
        await settled(pilot)
        assert "Your home directory is unknown: set HOME" in read(pilot)
        await press(pilot, "5", "p")
        await settled(pilot)
        assert "Your home directory is unknown: set HOME" in read(pilot)
        await press(pilot, "q")
    assert app.fault is None
    assert app.return_code == 0


@pytest.mark.asyncio
async def test_what_cannot_be_remembered_is_said_when_the_app_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("no folder")
    async with opened(make_store(tmp_path / "r.sqlite"), memory=tmp_path / "config" / "t") as pilot:
        assert names(pilot)
        assert str(tmp_path / "config") in read(pilot).replace(" ", "")
        told: list[str] = []
        leave = pilot.app.exit

        def exit_saying(message: object) -> None:
            told.append(str(message))
            leave()

        monkeypatch.setattr(pilot.app, "exit", exit_saying)
        await press(pilot, "q")
    assert pilot.app.return_code == 0
    assert str(tmp_path / "config") in told[0]


@pytest.mark.asyncio
async def test_names_that_no_file_can_have_are_exported_under_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    long = measurement("../" + "x" * 400, "dense", 0.0, 0.058, 40.0)
    async with opened(make_file(tmp_path / "r.jsonl", [replace(long, case=None)])) as pilot:
        await press(pilot, "e", *["down"] * 4)
        await settled(pilot)
        assert pilot.app.screen.query_one(Input).value == "x" * 80
        pilot.app.screen.query_one(Input).value = "~nobody-of-this-name/x"
        await press(pilot, "enter", "enter")
        await settled(pilot)
        assert "✗" in read(pilot)
        assert pilot.app._exception is None
