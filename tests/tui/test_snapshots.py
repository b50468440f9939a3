"""The five screens, character by character. SECATEUR_SNAPSHOTS=new writes them anew."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.measured import make_store
from tests.tui.recorded import write_recording
from tests.tui.walking import opened, press, read, seen, until
from tui.picture import settled

SNAPSHOTS = Path(__file__).parent / "snapshots"
#: The keys that lead to each screen.
SCREENS = {
    "explore": ("down", "down", "r"),
    "compare": ("escape", "home", "space", "down", "space", "c"),
    "sensitivity": ("3",),
    "history": ("1", "4"),
    "run": ("5", "p", "enter", "e"),
}


@pytest.fixture
def greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Recordings are told in the time of where we are."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.asyncio
async def test_the_screens_look_as_they_did(tmp_path: Path, greenwich: None) -> None:
    write_recording()
    store = make_store(tmp_path / "results.sqlite")
    cells = [{"sparsity": s, "divergence": s**9, "score": None} for s in (0.3, 0.5, 0.7, 0.9)]
    rows = [
        {"name": f"model.encoder.layers.{at}.fc1", "layers": [], "weights": 1, "cells": cells}
        for at in range(3)
    ]
    table = {
        "model": "net", "method": "obs", "by": "layer", "unit": "token", "clips": 8,
        "answers": 90, "calibration_clips": 16, "seed": 0, "dense": None, "rows": rows,
    }  # fmt: skip
    (tmp_path / "sensitivity.json").write_text(json.dumps(table))
    async with opened(store) as pilot:
        for name, keys in SCREENS.items():
            for key in keys:
                await press(pilot, key)
                await settled(pilot)
            if name == "run":
                await until(pilot, lambda: "✓ This is its end." in read(pilot))
                await pilot.pause()
            told = "\n".join(line.rstrip() for line in seen(pilot).splitlines()) + "\n"
            file = SNAPSHOTS / f"{name}.txt"
            if os.environ.get("SECATEUR_SNAPSHOTS") == "new":
                file.parent.mkdir(exist_ok=True)
                file.write_text(told)
            assert told == file.read_text(), name
