"""`python -m benchmarks.tui`: how long the terminal app lets people wait, with many results.

The store has DEVICES devices with RESULTS results each. A key's time is from its arrival to the
first paint that follows. Idle is the share of one processor while nobody touches anything.
Imports are those of the app in a Python of its own, less what Python itself takes to start; the
first paint, which is of the frame, and that with rows come after them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from benchmarks.large_store import write_store
from tui.app import SecateurApp
from tui.opening import source_of

KEYS = {
    "move": ("down", "pagedown", "end", "home"),
    "sort": ("s", "s", "s", "S"),
    "axis": ("x", "y", "x"),
    "filter": ("slash", "o", "b", "s"),
    "zoom": ("escape", "plus", "minus"),
}


class Watch:
    """When the app painted last."""

    def __init__(self, app: SecateurApp):
        self.painted: list[float] = []
        display = app._display

        def noted(*words: Any, **more: Any) -> None:
            display(*words, **more)
            self.painted.append(time.perf_counter())

        app._display = noted  # type: ignore[method-assign]

    def first_since(self, moment: float) -> float | None:
        return next((at for at in self.painted if at > moment), None)


def imports(rounds: int = 5) -> float:
    """Seconds, the best of some rounds: others may use the machine."""
    best = {}
    for code in ("pass", "import gc; gc.disable(); import tui.opening"):
        times = []
        for _ in range(rounds):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - begun)
        best[code] = min(times)
    python, app = best.values()
    return app - python


async def measure(store: Path, idle_seconds: float) -> dict[str, float]:
    begun = time.perf_counter()
    app = SecateurApp(source_of(store))
    watch = Watch(app)
    found: dict[str, float] = {}
    async with app.run_test(size=(120, 40)) as pilot:
        while not app.explore.view.records:
            await asyncio.sleep(0.002)
        seen = time.perf_counter()
        while watch.first_since(seen) is None:
            await asyncio.sleep(0.002)
        found["first paint, s"] = watch.painted[0] - begun
        found["first paint with rows, s"] = (watch.first_since(seen) or seen) - begun
        while app.is_busy:
            await asyncio.sleep(0.02)
        found["all rows of a device, s"] = time.perf_counter() - begun
        for kind, keys in KEYS.items():
            waits = [await one_key(pilot, watch, key) for key in keys]
            found[f"{kind}: key to paint, median, ms"] = 1000 * statistics.median(waits)
            found[f"{kind}: key to paint, most, ms"] = 1000 * max(waits)
        await asyncio.sleep(1)
        before, start = time.process_time(), time.perf_counter()
        await asyncio.sleep(idle_seconds)
        spent = time.process_time() - before
        found["idle, % of a processor"] = 100 * spent / (time.perf_counter() - start)
    return found


async def one_key(pilot: Pilot[None], watch: Watch, key: str) -> float:
    """Seconds; a key that changes nothing paints nothing and took no time."""
    start = time.perf_counter()
    await pilot.press(key)
    await pilot.pause(0.05)
    return (watch.first_since(start) or start) - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=10)
    options.add_argument("--results", type=int, default=20_000, help="of each device")
    options.add_argument("--idle", type=float, default=10.0, help="seconds to look at it idle")
    options.add_argument("--store", type=Path, help="kept and used again")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "results.sqlite"
        if not store.exists():
            write_store(store, bundles=chosen.results, devices=chosen.devices)
        found = {"imports, s": imports(), **asyncio.run(measure(store, chosen.idle))}
        for name, value in found.items():
            print(f"{name:<36} {value:8.2f}")


if __name__ == "__main__":
    main()
