"""Whatever is typed, in whatever order, the app stays up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.tui.measured import make_store
from tests.tui.recorded import PaperRunner, write_recording
from tests.tui.walking import press
from tui.app import SecateurApp
from tui.opening import source_of

KEYS = [
    *"abcdefghijklmnoprstuvwxyz", *"0123456789", *"/?+-=<>.,[]", *"SHJKLGRX",
    *("up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "shift+tab"),
    *("enter", "enter", "escape", "escape", "escape", "space", "backspace", "delete"),
    *("shift+left", "shift+up", "f1"),
]  # fmt: skip
#: Keys that open a screen take the most time, and lead to nothing new when there are many.
OPENING = {*"12345?ebdofapR", "enter", "tab"}
SIZES = [(80, 24), (120, 40), (200, 60), (64, 17)]


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.asyncio
async def test_five_hundred_keys_of_any_seed_do_not_crash_it(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty seeds in all, five after one another in each app."""
    monkeypatch.chdir(tmp_path)
    source = source_of(make_store(tmp_path / "results.sqlite"))
    write_recording()
    app = SecateurApp(source, tmp_path / "tui.json", PaperRunner())  # measures nothing
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for seed in range(SIZES.index(size), 20, len(SIZES)):
            weights = [1 if key in OPENING else 4 for key in KEYS]
            keys = random.Random(seed).choices(KEYS, weights, k=500)
            for start in range(0, len(keys), 100):
                with app.batch_update():  # painted once for all of them
                    await press(pilot, *keys[start : start + 100], hops=5)
                await pilot.pause()
            assert (app._exception, app.return_code) == (None, None), f"seed {seed}"
