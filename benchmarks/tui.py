"""`python -m benchmarks.tui`: how long the terminal app lets people wait, with many results.

The store has DEVICES devices with RESULTS results each. A key's time is from its arrival to the
first paint that follows. Idle is the share of one processor while nobody touches anything.
Imports are those of the app in a Python of its own, less what Python itself takes to start; the
first paint, which is of the frame, and that with rows come after them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from bench.agent.latency import Latency
from bench.agent.measurement import Measurement, Sample, Variant
from bench.agent.memory import MemoryReading
from bench.store.store import Store
from tui.app import SecateurApp
from tui.opening import source_of

METHODS = ("dense", "mp_global", "obs", "wanda", "nm_obs", "obs_structured")
IMPORTED_AT_ONCE = 2000
KEYS = {
    "move": ("down", "pagedown", "end", "home"),
    "sort": ("s", "s", "s", "S"),
    "axis": ("x", "y", "x"),
    "filter": ("slash", "o", "b", "s"),
    "zoom": ("escape", "plus", "minus"),
}


def measurements(device: str, count: int) -> Iterator[Measurement]:
    """Seeded by the device; eight samples each."""
    draw = random.Random(device)
    for number in range(count):
        method, zeros = draw.choice(METHODS), draw.randrange(0, 95) / 100
        seconds, wer = draw.uniform(0.005, 0.1), 0.02 + draw.random() * zeros**2
        name = f"net-{method}-{round(100 * zeros)}-{number}"
        score = {"wer": wer, "wer_low": 0.8 * wer, "wer_high": 1.2 * wer, "cer": wer / 2}
        phases = {"features": seconds / 4, "encode": seconds / 2, "decode": seconds / 4}
        yield Measurement(
            bundle=f"/nowhere/{name}",
            name=name,
            measured_at="2026-01-01T00:00:00+00:00",
            threads=1,
            bundle_sha256=f"{number:064x}",
            variant=Variant(name, "whisper", method, zeros, zeros, zeros, score),
            samples=tuple(Sample(f"{clip}.flac", seconds, 2.0, phases, 5) for clip in range(8)),
            latency=Latency(8, seconds, seconds, None, None, None, None, seconds, 1.02 * seconds),
            real_time_factor=seconds / 2,
            memory={"at_end": MemoryReading(draw.randrange(50, 900) * 2**20, None)},
            device_bytes=draw.randrange(2, 150) * 2**20,
            environment={"device": device, "cpu": "Cortex-A76", "architecture": "aarch64"},
            verdicts=("VALID",),
            job=f"{device}-{number // IMPORTED_AT_ONCE}",
            case=f"{name}/t1",
        )


def make_store(path: Path, devices: int, results: int) -> None:
    with Store.at(path) as store:
        for number in range(devices):
            store.add_results(measurements(f"device-{number}", results), "this")


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
            make_store(store, chosen.devices, chosen.results)
        found = {"imports, s": imports(), **asyncio.run(measure(store, chosen.idle))}
        for name, value in found.items():
            print(f"{name:<36} {value:8.2f}")


if __name__ == "__main__":
    main()
