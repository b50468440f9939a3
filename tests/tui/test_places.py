"""All devices at once, letters to jump by, and what is reckoned of bundles that lie here."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from bench.agent.measurement import Measurement
from runtime.bundle import Bundle
from tests.tui.measured import make_file, make_store, measurement
from tests.tui.walking import explore, opened, press, read, seen, selected, until
from tui.picture import settled
from tui.screens.jump import JumpScreen
from tui.widgets.detail import Detail
from tui.widgets.places import Places
from tui.widgets.scatter import Scatter
from tui.widgets.table import VariantTable

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
pytestmark = pytest.mark.asyncio


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "results.sqlite")


@pytest.mark.parametrize(
    ("size", "kind"),
    [((80, 24), "store"), ((120, 40), "file"), ((120, 40), "store"), ((200, 60), "store")],
)
async def test_all_devices_are_one_table_and_one_plot_that_tells_them_apart(
    store: Path, tmp_path: Path, size: tuple[int, int], kind: str
) -> None:
    results = store if kind == "store" else make_file(tmp_path / "results.jsonl")
    async with opened(results, size) as pilot:
        screen = explore(pilot)
        own = len(screen.view.records)
        await press(pilot, "d", "home", "down", "down", "enter")
        await settled(pilot)
        assert screen.place
        assert screen.place.name == "all devices"
        devices = {record.row.device for record in screen.view.records}
        assert devices == {"pi", "zero"}
        assert len(screen.view.records) > own
        told = read(pilot)
        letters = screen.view.letters
        assert sorted(letters.values()) == ["a", "b"]
        for device, letter in letters.items():
            assert f"{letter} {device}" in told  # in the table and under the plot
        await press(pilot, "x")  # one hides another at the same zeros
        await settled(pilot)
        plotted = {cell for line in plot(pilot) for cell in line}
        assert {"a", "b"} <= plotted
        assert "●" not in plotted
        await press(pilot, "s", "s")
        assert screen.view.sort == "device"
        order = [screen.view.records[at].row.device for at in screen.view.order]
        assert order == sorted(order)
        await press(pilot, "d", "home", "enter")
        await settled(pilot)
        assert screen.view.letters == {}
        assert "●" in {cell for line in plot(pilot) for cell in line}


def plot(pilot: Pilot[None]) -> list[str]:
    region = explore(pilot).query_one(Scatter).content_region
    lines = seen(pilot).splitlines()[region.y : region.bottom - 1]
    return [line[region.x + 7 : region.right] for line in lines]


async def begin_jump(pilot: Pilot[None]) -> None:
    """In a narrow terminal what is hidden is laid out before the letters come."""
    await press(pilot, "f")
    await until(pilot, lambda: isinstance(pilot.app.screen, JumpScreen))


@pytest.mark.long_but("(80, 24)")
@SIZES
async def test_a_letter_leads_to_each_panel_and_device(
    store: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(store, size) as pilot:
        screen = explore(pilot)
        for wanted in (Places, Detail, VariantTable):
            await begin_jump(pilot)
            region = screen.query_one(wanted).region
            left = region.x if wanted is Places else max(region.x, 32)
            await press(pilot, letter_in(pilot, region.y, left, region.right))
            assert pilot.app.screen is screen
            assert isinstance(screen.focused, wanted)
        await begin_jump(pilot)
        lines = seen(pilot).splitlines()
        [line] = [at for at, text in enumerate(lines) if "latency" in text and "[" in text[:32]]
        await press(pilot, letter_in(pilot, line, 0, 32))
        assert isinstance(screen.focused, Input)
        assert screen.query_one("#sidebar").display
        await press(pilot, "escape")
        await begin_jump(pilot)
        lines = seen(pilot).splitlines()
        [line] = [at for at, text in enumerate(lines) if " zero " in text[:32]]
        await press(pilot, letter_in(pilot, line, 0, 32))
        await settled(pilot)
        assert screen.place
        assert screen.place.name == "zero"
        focused = screen.focused
        await begin_jump(pilot)
        await press(pilot, "escape")
        await begin_jump(pilot)
        await press(pilot, "?")
        assert (pilot.app.screen, screen.focused) == (screen, focused)
        assert screen.query_one("#sidebar").display == (size[0] >= 100)


def letter_in(pilot: Pilot[None], line: int, left: int, right: int) -> str:
    """The first letter in brackets there."""
    text = seen(pilot).splitlines()[line][left:right]
    at = text.index("[")
    assert text[at + 2] == "]"
    return text[at + 1]


async def test_jumping_works_on_every_screen(store: Path) -> None:
    async with opened(store, (80, 24)) as pilot:
        for screen in "2345":
            await press(pilot, screen)
            await settled(pilot)
            await press(pilot, "f", "a")
            await pilot.pause()
            assert pilot.app.focused is not None
            assert not isinstance(pilot.app.screen, JumpScreen)


@pytest.fixture(scope="module")
def demo_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo-sew and half of it, as bundles that lie here; the times are made up."""
    from export.bundle import write_bundle
    from prune.pruner import Pruner
    from runtime.bundle import Sparsity
    from tests.export.exported import demo, noise

    folder = tmp_path_factory.mktemp("demo")
    pruner = Pruner("demo-sew").calibrate("demo:calibration", clips=2)
    pruner.prune(method="obs_structured", heads=0.5, ffn=0.5)
    half = write_bundle(
        pruner.checkpoint, folder / "half", name="demo-sew-half", method="obs_structured",
        sparsity=Sparsity(0.5, 0.5, 0.5, {}), score=None, provenance={"seed": 0},
        parity_clips=[noise(90, 2.0)],
    )  # fmt: skip
    return make_file(
        folder / "results.jsonl",
        [
            of_bundle(measurement("demo-sew", "dense", 0.0, 0.036, 5.0), demo("demo-sew")),
            of_bundle(measurement("demo-sew-half", "obs_structured", 0.5, 0.1, 3.0), half),
        ],
    )


def of_bundle(found: Measurement, bundle: Bundle) -> Measurement:
    here = {"bundle": str(bundle.folder), "bundle_sha256": bundle.sha256}
    return type(found)(**{**vars(found), **here})


async def test_operations_are_counted_and_guesses_labelled_from_real_bundles(
    demo_results: Path,
) -> None:
    async with opened(demo_results, (200, 60)) as pilot:
        while "J/clip" not in seen(pilot):  # the column after it, so that all of it is there
            await press(pilot, "right")
        lines = seen(pilot).splitlines()
        [head] = [line for line in lines if "−FLOPs" in line]
        end = head.index("−FLOPs") + len("−FLOPs")
        cells = [line[end - 7 : end].strip() for line in lines[lines.index(head) + 1 :][:2]]
        assert cells[0] == "0 %"
        assert 20 < float(cells[1].removesuffix(" %")) < 80
        await press(pilot, "down", "enter")
        await settled(pilot)
        assert f"{cells[1].removesuffix(' %')} % less than dense" in read(pilot)
        await press(pilot, "escape", "d", "end", "enter")
        await settled(pilot)
        screen = explore(pilot)
        assert screen.place
        assert screen.place.kind == "estimated"
        [whole, half] = [record.row for record in screen.view.records]
        assert whole.latency_ms > half.latency_ms > 0  # type: ignore[operator]
        assert seen(pilot).count("ESTIMATED") >= 4  # the list, two rows, and the selected one
        assert f"{whole.latency_ms:.1f}" in seen(pilot)
        assert "nobody measured it" in read(pilot)
        assert selected(pilot) == "demo-sew"
