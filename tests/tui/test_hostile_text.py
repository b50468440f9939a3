"""Names that a terminal or the app's own markup would obey are text, on every screen."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from bench.agent.measurement import Measurement
from bench.remote.journal_copy import data_folder
from tests.bench.store.journals import small_job, write_folder
from tests.tui.measured import PI, make_file, make_store, measurement
from tests.tui.recorded import PaperRunner
from tests.tui.test_any_keys import KEYS
from tests.tui.walking import explore, opened, press, read, seen
from tui.picture import settled
from tui.widgets.table import VariantTable

pytestmark = pytest.mark.asyncio

#: A window's title, colours by C1, a carriage return, an override, a screen erased, a line end.
EVIL = "\x1b]0;owned\x07\x9b31m\r\u202e\x1b[2J\n\u2066"
LINK = "[@click=app.quit]away[/] [red]red[/] [bold"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def hostile(name: str, zeros: float, **facts: object) -> Measurement:
    """Every text in it, down to the keys, is hostile."""
    words = {"family": f"whisper{EVIL}", "device": f"pi{EVIL}{LINK}"}
    verdicts = (f"VALID{EVIL}{LINK}",)
    found = measurement(
        f"{name}{EVIL}{LINK}", f"obs{EVIL}", zeros, 0.06, 20.0, verdicts=verdicts, **words
    )
    return replace(
        found,
        bundle=f"/nowhere/{EVIL}",
        phase_medians={f"encode{EVIL}{LINK}": 0.01},
        memory={f"at_end{EVIL}": next(iter(found.memory.values()))},
        environment={
            **PI,
            "device": f"pi{EVIL}{LINK}",
            "model": f"Pi{EVIL}",
            "system": f"Linux{EVIL}",
        },
        case=f"{found.name}/t1{EVIL}",
        settings={f"window{EVIL}": f"5{EVIL}"},
        **facts,  # type: ignore[arg-type]
    )


def results() -> list[Measurement]:
    return [
        measurement("net-dense", "dense", 0.0, 0.058, 40.0),
        hostile("one", 0.5),
        hostile("two", 0.6),
        hostile("three", 0.7, error=f"It broke{EVIL}{LINK}"),
        replace(hostile("four", 0.8), environment={**PI, "device": "pi"}),
    ]


def write_hostile_recording() -> None:
    """A job whose device answers with what a terminal would obey."""
    job, told = small_job(f"net-a{LINK}/t1", "net-b/t1")
    folder = write_folder(data_folder() / "jobs" / "pi" / job.id, job, [])
    lines = [json.dumps(_poisoned(json.loads(stamped.to_json()))) for stamped in told]
    (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _poisoned(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {name: _poisoned(found, name) for name, found in value.items()}
    return f"{value}{EVIL}{LINK}" if key in ("text", "name", "model", "cpu", "error") else value


def write_hostile_sensitivity(folder: Path) -> None:
    cells = [{"sparsity": 0.5, "divergence": 0.1, "score": None}]
    rows = [{"name": f"encoder{EVIL}{LINK}", "layers": [], "weights": 1, "cells": cells}]
    table = {
        "model": f"net{EVIL}{LINK}", "method": "obs", "by": "layer", "unit": "token", "clips": 1,
        "answers": 2, "calibration_clips": 0, "seed": 0, "dense": None, "rows": rows,
    }  # fmt: skip
    (folder / "sensitivity.json").write_text(json.dumps(table))
    (folder / f"sensitivity{EVIL.replace('/', '')}.json").write_text("{")


def refuse_obeyed(pilot: Pilot[None]) -> None:
    found = OBEYED.search(seen(pilot))
    assert not found, f"{found[0]!r} reached the screen {pilot.app.screen}"


def links(pilot: Pilot[None]) -> set[str]:
    """What a click on the screen would run, wherever it is."""
    strips = pilot.app.screen._compositor.render_strips()
    metas = [segment.style.meta for strip in strips for segment in strip if segment.style]
    return {str(meta["@click"]) for meta in metas if "@click" in meta}


@pytest.mark.parametrize(("size", "kind"), [((80, 24), "store"), ((200, 60), "file")])
async def test_no_control_character_and_no_markup_gets_through(
    tmp_path: Path, size: tuple[int, int], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each screen with the hostile rows on it, and then keys at random."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / f"results{'.sqlite' if kind == 'store' else '.jsonl'}"
    (make_store if kind == "store" else make_file)(place, results())
    write_hostile_sensitivity(tmp_path)
    write_hostile_recording()
    async with opened(place, size, runner=PaperRunner()) as pilot:
        app = pilot.app
        harmless = links(pilot)
        devices = [["d", "home", *["down"] * steps, "enter"] for steps in range(3)]
        walk = [
            *([*keys, "end", "space", "home", "r"] for keys in devices),
            *(["enter"], ["escape", "space", "down", "space", "c"], ["n"], ["3"], ["n"], ["4"]),
            *(["1", "x", "S", "f"], ["escape", "e"], ["escape", "b"], ["escape", "R"]),
            *(["escape", "5", "p"], ["enter"], ["e"], ["1", "m"], ["ctrl+p"], ["escape", "?"]),
            ["escape"],
        ]
        told = ""
        for keys in walk:
            await press(pilot, *keys)
            await settled(pilot)
            refuse_obeyed(pilot)
            told += "".join(seen(pilot).replace("│", "").split())
            assert app.is_running
        for visible in (r"\x1b]0;owned\x07", "[@click=app.quit]away[/][red]red[/]"):
            assert visible in told
        assert not any("quit" in link for link in links(pilot) - harmless)
        assert not OBEYED.search(app.clipboard)
        draw = random.Random(0)
        assert not OBEYED.search(app.export_screenshot())
        for _ in range(3):
            await press(pilot, *draw.choices([key for key in KEYS if key != "f1"], k=20), hops=5)
            refuse_obeyed(pilot)
        assert app._exception is None


async def test_a_row_with_line_ends_in_its_name_stays_one_row_and_has_its_past(
    tmp_path: Path,
) -> None:
    async with opened(make_store(tmp_path / "results.sqlite", results())) as pilot:
        await press(pilot, "d", "home", "down", "enter")
        await settled(pilot)
        await press(pilot, "/", *"two", "enter")
        await settled(pilot)
        inside = explore(pilot).query_one(VariantTable).content_region
        lines = seen(pilot).splitlines()[inside.y + 1 : inside.y + 3]
        first, second = (line[inside.x : inside.right] for line in lines)
        assert "two" in first
        assert second.strip() == ""
        await press(pilot, "4")
        await settled(pilot)
        assert "2026-03-01" in seen(pilot)  # found by the name as it is, not as it is shown


async def test_what_is_pasted_or_opened_by_name_is_shown_as_text(tmp_path: Path) -> None:
    place = tmp_path / "a\x1b[31m[red]b.jsonl"
    make_file(place, results())
    async with opened(place, (200, 60)) as pilot:
        await press(pilot, "/")
        explore(pilot).query_one("#search", Input).value = "x\x1b[31m\u202e"
        await settled(pilot)
        refuse_obeyed(pilot)
        assert r"a\x1b[31m[red]b.jsonl" in read(pilot)
        place.write_text("{")
        pilot.app._look()  # type: ignore[attr-defined]
        await settled(pilot)
        refuse_obeyed(pilot)
        assert "line 1" in read(pilot)
