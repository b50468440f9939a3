"""Jobs from the app: started, watched, left alone, come back to, attached to, and played again."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from bench.agent.job import Plan
from bench.agent.journal import read_journal
from bench.remote.courier import Detached
from bench.remote.devices import find_device
from bench.remote.journal_copy import data_folder
from bench.remote.work import Request, Worker
from bench.store.store import Store
from runtime.bundle import Bundle
from speech.corpora import open_corpus
from tests.remote.sshd import wait_until
from tests.tui.measured import make_file, make_store, measurement
from tests.tui.recorded import PaperRunner, write_recording
from tests.tui.walking import explore, names, opened, press, read, seen, until
from tui.app import SecateurApp
from tui.picture import settled
from tui.source.jobs import News, Order, Over
from tui.source.running import DeviceRunner
from tui.watched import Watched

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
pytestmark = pytest.mark.asyncio


@pytest.fixture
def store(tmp_path: Path, tiny_bundle: Path) -> Path:
    """One result, on a Pi, of a bundle that lies here."""
    bundle = Bundle.open(tiny_bundle, on_device=True)
    here = {"bundle": str(tiny_bundle), "bundle_sha256": bundle.sha256}
    one = measurement("tiny", "dense", 0.0, 0.05, 10.0)
    return make_store(tmp_path / "results.sqlite", [type(one)(**{**vars(one), **here})])


def job(pilot: Pilot[None]) -> Watched:
    app = pilot.app
    assert isinstance(app, SecateurApp)
    assert app.desk.shown
    return app.desk.shown


def over(pilot: Pilot[None]) -> bool:
    return not job(pilot).is_going


async def shows(pilot: Pilot[None], words: str) -> None:
    """What happens is painted a moment later."""
    await until(pilot, lambda: words in read(pilot), 5)
    await pilot.pause()


async def come_here(pilot: Pilot[None]) -> None:
    """To the results of this machine."""
    await settled(pilot)
    await press(pilot, "escape", "d", "home", "down", "enter")
    await settled(pilot)
    place = explore(pilot).place
    assert place is not None
    if place.name != "this":
        await press(pilot, "d", "home", "enter")
        await settled(pilot)


@pytest.mark.long_but("(80, 24)")
@SIZES
async def test_a_benchmark_is_two_keys_and_its_results_appear_while_the_app_is_open(
    store: Path, size: tuple[int, int]
) -> None:
    async with opened(store, size) as pilot:
        await press(pilot, "R")
        assert "measures tiny" in seen(pilot)
        assert "this" in seen(pilot)
        await press(pilot, "tab", "tab", *"9", "enter")  # samples, so that it is soon over
        assert "5 Run" in seen(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen is explore(pilot)
        assert "▶ this" in seen(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: over(pilot))
        assert job(pilot).over.ending == "done", seen(pilot)  # type: ignore[union-attr]
        await shows(pilot, "the results are on the first screen")
        for expected in ("1 of 1", "9 of 9, median", "time by phase", "encode", "heat", "clock"):
            assert expected in read(pilot)
        assert "▶ this" not in seen(pilot)
        await come_here(pilot)
        assert names(pilot) == ["tiny"]
        [row] = [record.row for record in explore(pilot).view.records]
        assert (row.device, row.samples, row.problem) == ("this", 9, None)
    with Store.at(store) as found:
        assert [one.environment["device"] for one in found.measurements()] == ["pi", "this"]


async def test_a_job_that_was_started_elsewhere_is_attached_to_and_goes_on_when_the_app_ends(
    store: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle.open(tiny_bundle, on_device=True)
    plan = Plan(warm_up=0, min_samples=400, max_samples=400, turn_samples=4, budget_seconds=900)
    with Worker(find_device("this")) as worker:
        begun = worker.begin(Request([bundle], open_corpus("demo", limit=2), plan=plan))
    async with opened(store, (80, 24)) as pilot:
        await press(pilot, "5", "a", "enter")
        await until(pilot, lambda: job(pilot).cases["tiny/t1"].samples != [])
        await shows(pilot, begun.id)
        await press(pilot, "x")
        await until(pilot, lambda: over(pilot))
        await shows(pilot, f"`secateur bench attach this {begun.id}` follows it")
        await press(pilot, "a", "tab", *begun.id, "enter")
        await until(pilot, lambda: job(pilot).begun is not None)
        farewells: list[str] = []
        leave = pilot.app.exit

        def exit_saying(message: object) -> None:
            farewells.append(str(message))
            leave()

        monkeypatch.setattr(pilot.app, "exit", exit_saying)
        await press(pilot, "q")
    assert farewells == [
        f"this: job {begun.id} goes on; `secateur bench attach this {begun.id}` follows it."
    ]
    assert list(read_journal(data_folder() / "jobs" / "this" / begun.id / "journal.jsonl"))
    with Worker(find_device("this")) as worker:
        worker.end(begun)


async def test_a_job_is_stopped_where_it_is_measured_and_gone_on_with(
    store: Path, tiny_bundle: Path
) -> None:
    bundle = Bundle.open(tiny_bundle, on_device=True)
    plan = Plan(warm_up=0, min_samples=4000, max_samples=4000, budget_seconds=900)
    with Worker(find_device("this")) as worker:
        begun = worker.begin(Request([bundle], open_corpus("demo", limit=2), plan=plan))
        async with opened(store, (80, 24)) as pilot:
            await press(pilot, "5", "a", "enter")
            await until(pilot, lambda: job(pilot).cases["tiny/t1"].samples != [])
            await press(pilot, "X")
            await until(pilot, lambda: over(pilot))
            await shows(pilot, f"job {begun.id} was stopped. (a goes on with it.)")
            assert not worker.end(begun)
            await press(pilot, "a", "enter")
            await until(pilot, lambda: worker.find(None).id == begun.id and worker.end(begun))
            await until(pilot, lambda: over(pilot))
            await shows(pilot, "was stopped")


async def test_a_results_file_shows_what_was_measured_and_stays_as_it_is(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    file = make_file(tmp_path / "results.jsonl", [measurement("gone", "dense", 0.0, 0.05, 9.0)])
    before = file.read_bytes()
    async with opened(file) as pilot:
        await press(pilot, "R", "enter")
        await until(pilot, lambda: over(pilot))
        await shows(pilot, "✗ gone does not lie on this machine any more")
        await press(pilot, "escape", "R", "tab", "tab", *"2", "tab", "tab", *str(tiny_bundle))
        await press(pilot, "enter")
        await until(pilot, lambda: over(pilot))
        await come_here(pilot)
        assert names(pilot) == ["tiny"]
        await press(pilot, "enter")
        await settled(pilot)
        assert "time by phase" in seen(pilot)
    assert file.read_bytes() == before


async def test_what_is_typed_is_what_is_ordered(store: Path) -> None:
    runner = PaperRunner()
    async with opened(store, (80, 24), runner=runner) as pilot:
        await press(pilot, "R", "down", "space", "tab", *["backspace", *"1,2"], "tab", *"5")
        await press(pilot, "tab", *["backspace"] * 2, *"30", "enter")
        await until(pilot, lambda: over(pilot))
        await press(pilot, "n")
        assert [one.device for one in pilot.app.desk.jobs] == ["this", "pi"]  # type: ignore[attr-defined]
    [record] = runner.orders[0].records
    assert record.row.name == "tiny"
    assert runner.orders == [
        Order(device, (record,), None, (1, 2), 5, 30.0) for device in ("this", "pi")
    ]


#: What is typed after `R`, and what is said of it.
WRONG = (
    (("space",), "No device is chosen"),
    (("tab", *"x"), "Threads are 'x'"),
    (("tab", "tab", *"0"), "The samples is '0': write a whole number"),
    (("tab", "tab", "tab", *"s"), "The budget is 's'"),
)


async def test_what_cannot_be_ordered_is_said_and_nothing_begins(store: Path) -> None:
    runner = PaperRunner()
    async with opened(store, (80, 24), runner=runner) as pilot:
        for keys, complaint in WRONG:
            await press(pilot, "R", *keys, "enter")
            assert complaint in read(pilot)
            await press(pilot, "escape")
            assert pilot.app.screen is explore(pilot)
    assert runner.orders == []


@pytest.mark.long_but("(80, 24)")
@SIZES
async def test_a_recording_is_played_with_its_own_timing_and_its_strips(
    store: Path, size: tuple[int, int]
) -> None:
    write_recording()
    async with opened(store, size, runner=PaperRunner()) as pilot:
        await press(pilot, "5", "p")
        await settled(pilot)
        assert "2026-03-01 10:00  pi" in seen(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: job(pilot).begun is not None, 5)
        assert "replay of pi" in seen(pilot)
        await press(pilot, "space")
        assert "paused" in seen(pilot)
        heard = job(pilot).logged
        await press(pilot, *">" * 8)
        await pilot.pause(0.3)
        assert job(pilot).logged == heard
        assert heard < 10  # its first seconds, not all of it
        await press(pilot, "space", "<", "<", ">", ">")
        assert "×128" in seen(pilot)
        await until(pilot, lambda: job(pilot).logged > heard, 5)
        await press(pilot, "e")
        await until(pilot, lambda: over(pilot), 5)
        await shows(pilot, "✓ replay of pi")
        assert "This is its end." in read(pilot)
        told = read(pilot)
        for expected in ("2 of 2", "43 °C, 40 to 43", "1500 MHz", "prefill", "1,100 ms", "▁▃▆█"):
            assert expected in told
        assert "▶" not in told


@pytest.mark.parametrize(
    ("events", "torn", "said"),
    [
        (9, "", "The journal ends before its job did."),
        (9, '{"kind": "sam', "Its last line, 10, is torn"),
        (9, "nonsense\n", "Line 10 is no event"),
    ],
)
async def test_half_a_recording_is_played_as_far_as_it_goes(
    store: Path, events: int, torn: str, said: str
) -> None:
    write_recording(events=events, torn=torn)
    async with opened(store, (80, 24), runner=PaperRunner()) as pilot:
        await press(pilot, "5", "p")
        await settled(pilot)
        assert "not its end" in seen(pilot)
        await press(pilot, "enter", "e")
        await until(pilot, lambda: over(pilot), 5)
        await shows(pilot, said)
        assert "0 of 2" in read(pilot)


async def test_what_cannot_be_played_or_attached_to_is_a_line_on_the_screen(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    async with opened(store, (80, 24), runner=PaperRunner()) as pilot:
        await press(pilot, "5", "p")
        await settled(pilot)
        assert "There is no recording yet" in seen(pilot)
        await press(pilot, *"nowhere", "enter")
        assert "✗ nowhere cannot be read (No such file or directory)" in read(pilot)
        await press(pilot, "p")
        await settled(pilot)
        await press(pilot, *str(tmp_path / "empty.jsonl"), "enter")
        assert "cannot be played: it is empty" in read(pilot)
        await press(pilot, "a", "tab", *"no-job", "enter")
        assert "✗ 'no-job' is no job" in read(pilot)


async def test_a_broken_list_of_devices_is_a_line_on_the_screen(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "devices.toml").write_text("[pi")
    async with opened(store, (80, 24)) as pilot:
        await press(pilot, "R")
        assert "cannot be read (Expected" in read(pilot)


async def test_leaving_amid_the_start_says_which_job_may_run(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(worker: Worker, *_: object) -> None:
        worker.interrupt()
        raise Detached

    monkeypatch.setattr(Worker, "_start", interrupted)
    told: list[News] = []
    runner = DeviceRunner(None)  # type: ignore[arg-type]  # nothing lands anywhere
    runner.start(Order("this", folder=tiny_bundle), told.append)
    wait_until(lambda: told and isinstance(told[-1], Over), "it goes on")
    assert "may have been started; `secateur bench stop this" in str(told[-1])
