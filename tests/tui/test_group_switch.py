"""Only what can be compared stands side by side, and a pick is of what is on the screen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from bench.agent.measurement import Measurement
from tests.tui.measured import make_file, make_store, measurement, some
from tests.tui.walking import explore, names, opened, press, read, seen, selected
from tui.app import SecateurApp
from tui.picture import settled
from tui.source.records import Place, Record
from tui.source.stored import StoredSource
from tui.widgets.banner import Banner
from tui.widgets.places import Places

pytestmark = pytest.mark.asyncio
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
LIBRI = {"corpus": "librispeech:dev", "clips": 100, "words": 2000, "normalizer": "english"}
DEMO = {"corpus": "demo:test", "clips": 43, "words": 300, "normalizer": "basic"}
HELD = {"clips": 8, "corpus": "demo:test"}  # what was timed


def tiny(
    name: str, method: str, zeros: float, wer: float, ms: float, **facts: object
) -> Measurement:
    return measurement(
        f"whisper-tiny.en-{name}", method, zeros, wer, ms, model="openai/whisper-tiny.en",
        speech=LIBRI, **{"corpus": "librispeech:dev", "clips": 20, **facts},
    )  # fmt: skip


def demo(
    name: str, method: str, zeros: float, wer: float, ms: float, **facts: object
) -> Measurement:
    return measurement(
        f"demo-{name}", method, zeros, wer, ms, model="demo-whisper", speech=DEMO, **HELD, **facts
    )


def mixed() -> list[Measurement]:
    """A real model and the demo on one device; the demo's WER is lower, and it is faster."""
    return [
        tiny("dense", "dense", 0.0, 0.046, 400.0),
        tiny("obs-40", "obs", 0.4, 0.084, 402.0),
        tiny("ffn-25", "obs_structured", 0.25, 0.065, 320.0),
        demo("dense", "dense", 0.0, 0.021, 20.0),
        demo("obs-50", "obs", 0.5, 0.022, 19.9),
        tiny("dense", "dense", 0.0, 0.046, 450.0, device="zero"),
        tiny("ffn-25", "obs_structured", 0.25, 0.065, 350.0, device="zero"),
    ]


def make(folder: Path, kind: str, found: list[Measurement]) -> Path:
    if kind == "store":
        return make_store(folder / "r.sqlite", found)
    return make_file(folder / "r.jsonl", found)


async def choose(pilot: Pilot[None], device: str) -> None:
    explore(pilot).query_one(Places)._choose(f"device:{device}" if device != "all" else "all")
    await settled(pilot)


def banner(pilot: Pilot[None]) -> str:
    found = explore(pilot).query_one(Banner)
    return str(found.content) if found.has_class("-open") else ""


@pytest.mark.long_but("(80, 24)")
@SIZES
@pytest.mark.parametrize("kind", ["store", "file"])
async def test_a_demo_bundle_is_never_picked_among_results_of_a_real_model(
    tmp_path: Path, size: tuple[int, int], kind: str
) -> None:
    async with opened(make(tmp_path, kind, mixed()), size) as pilot:
        await choose(pilot, "pi")
        assert len(names(pilot)) == 3
        assert all(name.startswith("whisper-tiny.en") for name in names(pilot))
        assert "1/2 (n) whisper-tiny.en, librispeech:dev" in seen(pilot).splitlines()[0]
        await press(pilot, "r")
        await settled(pilot)
        assert "whisper-tiny.en-dense" in banner(pilot)
        assert "demo" not in banner(pilot)
        front = {explore(pilot).view.records[at].row.name for at in explore(pilot).view.front}
        assert all(name.startswith("whisper-tiny.en") for name in front)
        await press(pilot, "n")
        await settled(pilot)
        assert sorted(names(pilot)) == ["demo-dense", "demo-obs-50"]
        assert "2/2 (n) demo-whisper, demo:test" in seen(pilot).splitlines()[0]
        assert banner(pilot).startswith("→ demo-")
        assert selected(pilot).startswith("demo-")
        await press(pilot, "N")
        await settled(pilot)
        assert banner(pilot).startswith("→ whisper-tiny.en-dense")


async def test_losses_are_against_the_dense_model_of_the_same_group(tmp_path: Path) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed())) as pilot:
        await choose(pilot, "pi")
        view = explore(pilot).view
        losses = dict(zip((one.row.name for one in view.records), view.losses, strict=True))
        assert losses["whisper-tiny.en-obs-40"] == pytest.approx(3.8)
        assert losses["demo-obs-50"] == pytest.approx(0.1)


async def test_what_was_timed_on_other_clips_is_apart_and_says_so(tmp_path: Path) -> None:
    """The same bundle on its own corpus and, by an older command, on the demo's clips."""
    other = tiny("obs-60", "obs", 0.6, 0.05, 30.0, **HELD)
    async with opened(make_store(tmp_path / "r.sqlite", [*mixed(), other]), (200, 60)) as pilot:
        await choose(pilot, "pi")
        assert "whisper-tiny.en-obs-60" not in names(pilot)
        await press(pilot, "r")
        await settled(pilot)
        assert "obs-60" not in banner(pilot)
        while "whisper-tiny.en-obs-60" not in names(pilot):
            await press(pilot, "n")
        await settled(pilot)
        assert names(pilot) == ["whisper-tiny.en-obs-60"]
        assert "timed on 8 clips of demo:test" in read(pilot)
        assert "OTHER_CLIPS" in seen(pilot)
        assert "times and device WER are of other speech" in read(pilot)


async def test_variants_of_two_groups_are_not_compared(tmp_path: Path) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed()), (200, 60)) as pilot:
        await choose(pilot, "pi")
        await press(pilot, "home", "space", "n", "space")
        await settled(pilot)
        assert "cannot be compared: unmark those first" in read(pilot)
        assert len(pilot.app.marks) == 1  # type: ignore[attr-defined]


@pytest.mark.long_but("(80, 24)")
@SIZES
async def test_the_pick_is_of_the_device_and_the_budgets_on_the_screen(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed()), size) as pilot:
        await choose(pilot, "pi")
        await press(pilot, "r")
        await settled(pilot)
        assert "whisper-tiny.en-dense" in banner(pilot)
        assert "400.0 ms" in banner(pilot)
        await press(pilot, "b", *"350")
        await settled(pilot)
        assert banner(pilot).startswith("→ whisper-tiny.en-ffn-25")
        assert selected(pilot) == "whisper-tiny.en-ffn-25"
        await choose(pilot, "zero")
        assert "450.0 ms" in banner(pilot)
        assert "400.0 ms" not in banner(pilot)
        await press(pilot, "escape", "escape")
        await choose(pilot, "pi")
        assert banner(pilot) == ""


async def test_a_cursor_that_was_taken_elsewhere_stays_there(tmp_path: Path) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed())) as pilot:
        await choose(pilot, "pi")
        await press(pilot, "r", "/", *"obs-40", "enter", "b", *"350")
        await settled(pilot)
        assert selected(pilot) == "whisper-tiny.en-obs-40"
        assert banner(pilot).startswith("→ whisper-tiny.en-ffn-25")


async def test_among_all_devices_the_pick_is_of_the_selected_ones_device(tmp_path: Path) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed()), (200, 60)) as pilot:
        await choose(pilot, "all")
        for device, ms in (("zero", "450.0 ms"), ("pi", "400.0 ms")):
            while (record := explore(pilot).selected) and record.row.device != device:
                await press(pilot, "down")
            await press(pilot, "r")
            await settled(pilot)
            assert banner(pilot).startswith(f"→ On {device}: whisper-tiny.en-dense")
            assert ms in banner(pilot)
            await press(pilot, "escape", "home")


class SlowSource(StoredSource):
    """A store on a slow disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.turns = threading.Event()
        self.turns.set()

    def records(self, place: Place) -> Iterator[Sequence[Record]]:
        self.turns.wait(60)
        yield from super().records(place)


async def test_r_right_after_choosing_a_device_waits_for_its_results(tmp_path: Path) -> None:
    source = SlowSource(make_store(tmp_path / "r.sqlite", mixed()))
    app = SecateurApp(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        source.turns.clear()
        await press(pilot, "d", "home", "enter", "r")
        assert "Nothing has been measured" not in read(pilot)
        assert "Reading the results of" in banner(pilot)
        source.turns.set()
        await settled(pilot)
        assert "whisper-tiny.en-dense" in banner(pilot)
        assert selected(pilot) == "whisper-tiny.en-dense"


@pytest.mark.parametrize("kind", ["store", "file"])
async def test_the_head_and_the_side_bar_count_the_same(tmp_path: Path, kind: str) -> None:
    """Both count variants: of several measurements in the same settings the newest is shown."""
    async with opened(make(tmp_path, kind, some())) as pilot:
        for device, count in (("pi", 10), ("zero", 2), ("all", 12)):
            await choose(pilot, device)
            assert f"{count} variants" in seen(pilot).splitlines()[0]
            name = "all devices" if device == "all" else device
            assert f"│ {name} {count} " in seen(pilot)


async def test_of_several_groups_the_head_counts_what_is_shown_and_what_there_is(
    tmp_path: Path,
) -> None:
    async with opened(make_store(tmp_path / "r.sqlite", mixed())) as pilot:
        await choose(pilot, "pi")
        assert "· 3 of 5 " in seen(pilot).splitlines()[0]
        assert "│ pi 5 " in seen(pilot)


async def test_budgets_of_one_store_mark_no_other_and_no_other_group(tmp_path: Path) -> None:
    memory = tmp_path / "tui.json"
    first, second = (make_store(tmp_path / name, mixed()) for name in ("a.sqlite", "b.sqlite"))
    async with opened(first, memory=memory) as pilot:
        await choose(pilot, "pi")
        before = explore(pilot).view.limits
        await press(pilot, "b", *"350", "enter", "escape")
        assert explore(pilot).view.limits.at_most["latency"] == 350
        await press(pilot, "n")
        assert explore(pilot).view.limits == before
        await press(pilot, "N")
        assert explore(pilot).view.limits.at_most["latency"] == 350
        await choose(pilot, "zero")
        assert explore(pilot).view.limits == before
        await press(pilot, "q")
    async with opened(second, memory=memory) as pilot:
        await choose(pilot, "pi")
        assert explore(pilot).view.limits == before
    async with opened(first, memory=memory) as pilot:
        await choose(pilot, "pi")
        assert explore(pilot).view.limits.at_most["latency"] == 350


async def test_budgets_that_an_older_version_kept_for_any_store_are_left_out(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "tui.json"
    memory.write_text(json.dumps({"theme": "secateur", "budgets": {"device:pi": {"latency": 1.0}}}))
    async with opened(make_store(tmp_path / "r.sqlite", mixed()), memory=memory) as pilot:
        await choose(pilot, "pi")
        assert "latency" not in explore(pilot).view.limits.at_most
        assert "✗" not in banner(pilot)


async def test_the_group_that_was_chosen_is_shown_again(tmp_path: Path) -> None:
    memory = tmp_path / "tui.json"
    store = make_store(tmp_path / "r.sqlite", mixed())
    async with opened(store, memory=memory) as pilot:
        await choose(pilot, "pi")
        await press(pilot, "n")
        assert names(pilot)[0].startswith("demo")
        await choose(pilot, "zero")  # which has none of the demo
        assert names(pilot)[0].startswith("whisper")
        await choose(pilot, "pi")
        assert names(pilot)[0].startswith("demo")
        await press(pilot, "q")
    async with opened(store, memory=memory) as pilot:
        assert names(pilot)[0].startswith("demo")
