"""`secateur run` in other ways than from end to end: parts of it, again, side by side, twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.events import Event, Progress, Refused, Warned
from pipeline.executors.side_by_side import side_by_side
from pipeline.executors.work import Order
from pipeline.locked import alone_in
from pipeline.out_of_reach import note_out_of_reach, out_of_reach
from pipeline.plan import Cell, cells, fingerprints
from pipeline.recipe import Recipe, read_recipe
from pipeline.run import Way, run
from pipeline.spoken import scored_on
from pipeline.tasks import tasks
from pipeline.workers import Crew, crew
from pipeline.workshop import Workshop
from runtime.bundle import Bundle
from tests.pipeline.command_line import assert_one_sentence, begun_secateur, secateur
from tests.pipeline.conftest import WriteRecipe

STEP_BY_STEP = """
measure.clips = 1
measure.samples = 1
[prune]
methods = ["imp_global"]
sparsities = [0.2, 0.4]
step = 0.2
[prune.fine_tuning]
steps = 4
batch = 2
check_every = 1
held_out = 0.34
"""


@pytest.fixture
def path(write_recipe: WriteRecipe) -> Path:
    return write_recipe(["sew"], STEP_BY_STEP)


def by_magnitude(path: Path) -> Path:
    """The recipe with a method that needs no time."""
    text = path.read_text().replace('["imp_global"]', '["mp_global"]').replace("step = 0.2", "")
    path.write_text(text)
    return path


def hashes(recipe: Recipe) -> dict[str, str]:
    names = [cell.name for cell in cells(recipe)]
    return {name: Bundle.open(Path(recipe.output) / name).sha256 for name in names}


def files(recipe: Recipe) -> dict[str, Any]:
    """Of bundles that say that they come from recipes with other outputs."""
    names = [cell.name for cell in cells(recipe)]
    return {name: Bundle.open(Path(recipe.output) / name).manifest.files for name in names}


def other(recipe: Recipe, output: Path) -> Recipe:
    return recipe.model_copy(update={"output": str(output)})


def quiet(_: Event) -> None:
    pass


def test_a_dry_run_says_what_there_is_to_do_and_does_nothing(path: Path) -> None:
    done = secateur("run", str(path), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "  build         sew-imp_global-40  about" in done.stdout
    assert "3 bundles to build" in done.stdout and "Estimated" in done.stdout
    plan = json.loads(secateur("run", str(path), "--dry-run", "--json").stdout)
    assert plan["seconds"] > 0 and plan["disk_bytes"] > 0
    part = secateur("run", str(path), "--dry-run", "--only", "*-imp_*", "--json")
    states = {each["bundle"]: each["state"] for each in json.loads(part.stdout)["bundles"]}
    assert states["sew-dense_finetune"] == "left out" and states["sew-imp_global-20"] == "build"
    assert not (path.parent / "out" / "sew-dense_finetune").exists()
    assert_one_sentence(secateur("run", str(path), "--only", "*-imp_globl-20"), "imp_global-20")


def test_a_gradual_method_stops_on_its_way_and_comes_to_the_same_end_in_parts(path: Path) -> None:
    """One run cuts to 40 % by way of 20 %; another makes the two bundles one after the other."""
    recipe = read_recipe(path)
    cuts: list[str] = []

    def noting(event: Event) -> None:
        if isinstance(event, Progress) and "fine-tuning" in event.label and event.done == 1:
            cuts.append(event.label)

    run(recipe, Way(report=False, workers=1), hear=noting)
    whole = hashes(recipe)
    assert sum("imp_global" in label for label in cuts) == 2, "a step of each, none twice"
    zeros = {name: Bundle.open(Path(recipe.output) / name).manifest.sparsity for name in whole}
    assert zeros["sew-imp_global-20"].achieved == pytest.approx(0.2, abs=0.001)
    assert zeros["sew-imp_global-20"].requested == 0.2

    parts = other(recipe, path.parent / "parts")
    run(parts, Way(report=False, workers=1, only=["*-20"]), hear=quiet)
    early = Bundle.open(Path(parts.output) / "sew-imp_global-20")
    assert not (Path(parts.output) / "sew-imp_global-40").exists()
    assert early.manifest.sparsity.achieved == pytest.approx(0.2, abs=0.001)
    run(parts, Way(report=False, workers=1), hear=quiet)
    assert files(parts) == files(recipe)


def test_a_bundle_that_an_interrupted_run_had_come_past_is_made_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is already beyond 20 % when the bundle of 20 % is gone."""
    recipe = read_recipe(path)
    run(recipe, Way(report=False, workers=1), hear=quiet)
    again = other(recipe, path.parent / "again")

    def interrupted_at_40(self: Workshop, cell: Cell, *others: Any) -> None:
        if cell.sparsity == 0.4:
            raise KeyboardInterrupt
        bundle(self, cell, *others)

    bundle = Workshop._bundle
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Workshop, "_bundle", interrupted_at_40)
        run(again, Way(report=False, workers=1), hear=quiet)
    shutil.rmtree(Path(again.output) / "sew-imp_global-20")
    outcome = run(again, Way(report=False, workers=1), hear=quiet)
    assert outcome.built == 2 and not outcome.missing
    assert files(again) == files(recipe)
    assert not [*Path(again.output).glob(".*.work")]


def test_threads_do_not_depend_on_what_is_left_or_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With others a resumed run would end with other last bits."""
    recipe = read_recipe(by_magnitude(path))
    monkeypatch.setattr("pipeline.workers.cores", lambda: 8)
    task = tasks(fingerprints(recipe, scored_on(recipe)), cells(recipe))[0]
    whole = [task] * 12
    first = crew(None, whole, whole, "cpu")
    assert first == Crew(4, 2)
    assert crew(None, whole, whole[:5], "cpu") == Crew(1, 2)
    memory = psutil.virtual_memory()
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory._replace(available=2 << 30))
    assert crew(None, whole, whole, "cpu") == Crew(1, 2)
    assert crew(3, whole, whole[:2], "cpu") == Crew(2, 2)


def test_what_no_method_can_make_is_said_and_not_tried_again(write_recipe: WriteRecipe) -> None:
    """The rest is there, so the run did what there was to do: it ends well."""
    path = write_recipe(["sew"], """
        prune.methods = ["mp_global", "obs_structured"]
        prune.sparsities = [0.97]
        export.precisions = ["fp32", "int8"]
        measure.clips = 1
        measure.samples = 1
    """)  # fmt: skip
    beyond = "sew-obs_structured-97, sew-obs_structured-97-int8"
    done = secateur("run", str(path))
    assert done.returncode == 0, done.stderr
    assert "sew-obs_structured-97 could not be made: sparsity 0.97 cannot be reached" in done.stderr
    assert f"Out of reach, for reasons given above: {beyond}." in done.stdout
    planned = secateur("run", str(path), "--dry-run").stdout
    assert "  out of reach  sew-obs_structured-97\n" in planned and "  build " not in planned

    again = secateur("run", str(path), "--jsonl")
    assert again.returncode == 0, again.stderr
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert [e["bundle"] for e in events if e["event"] == "refused"] == beyond.split(", ")
    [plan] = [e for e in events if e["event"] == "planned"]
    assert (plan["bundles"], plan["to_build"], len(plan["done"])) == (4, [], 2)
    forced = secateur("run", str(path), "--only", "*-97", "--force", "--dry-run", "--json")
    states = {e["bundle"]: e["state"] for e in json.loads(forced.stdout)["bundles"]}
    assert states["sew-obs_structured-97"] == "build"


def test_a_run_of_which_nothing_can_be_made_says_so(write_recipe: WriteRecipe) -> None:
    path = write_recipe(["sew"], """
        prune.methods = ["obs_structured"]
        prune.sparsities = [0.97]
    """)  # fmt: skip
    first = secateur("run", str(path), "--jsonl")
    assert first.returncode == 0, first.stderr
    assert "the report" not in first.stdout
    done = secateur("run", str(path))
    assert done.returncode == 0, done.stderr
    assert "0 bundles built, 0 measured" in done.stdout
    assert "Out of reach, for reasons given above: sew-obs_structured-97." in done.stdout
    assert not (path.parent / "out" / "report.html").exists()


@pytest.mark.parametrize("why", [None, 7, " ", {"why": "no"}])
def test_a_note_that_gives_no_reason_is_none(path: Path, why: object) -> None:
    output, recipe = path.parent / "out", read_recipe(path)
    wanted = fingerprints(recipe, scored_on(recipe))
    first, *_, last = wanted
    note_out_of_reach(output, wanted, {first: "It cannot be.", last: "Nor can it."})
    assert out_of_reach(output, wanted) == {first: "It cannot be.", last: "Nor can it."}
    note = output / ".out-of-reach.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {wanted[first]: why}))
    assert out_of_reach(output, wanted) == {last: "Nor can it."}
    (output / ".out-of-reach.json").write_text("[" * 200_000)
    assert out_of_reach(output, wanted) == {}


def test_what_is_forced_is_made_anew_and_nothing_else(path: Path) -> None:
    recipe = read_recipe(by_magnitude(path))
    run(recipe, Way(report=False, workers=1), hear=quiet)
    places = {name: Path(recipe.output) / name / "bundle.json" for name in hashes(recipe)}
    before, content = {n: p.stat().st_ino for n, p in places.items()}, hashes(recipe)
    outcome = run(recipe, Way(report=False, workers=1, only=["*-40"], force=True), hear=quiet)
    assert (outcome.built, outcome.measured) == (1, 0), "the same bytes need no new measurement"
    after = {n: p.stat().st_ino for n, p in places.items()}
    assert [n for n in places if after[n] != before[n]] == ["sew-mp_global-40"]
    assert hashes(recipe) == content


def test_two_runs_do_not_fill_one_folder(path: Path) -> None:
    output = path.parent / "out"
    output.mkdir()
    with alone_in(output):
        done = secateur("run", str(path))
    assert_one_sentence(done, f"another run (process {os.getpid()})")
    assert [each.name for each in output.iterdir()] == [".lock"]


def test_there_is_one_standard_output(path: Path) -> None:
    done = secateur("run", str(path), "--json", "--jsonl")
    assert_one_sentence(done, "--json and --jsonl", "choose one")
    assert not (path.parent / "out").exists()


def test_machines_are_told_line_by_line(path: Path) -> None:
    done = secateur("run", str(by_magnitude(path)), "--jsonl", "--workers", "1")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "planned" and events[0]["to_build"] == [
        "sew-mp_global-20",
        "sew-mp_global-40",
    ]
    assert kinds.count("built") == kinds.count("measured") == 2
    assert any(event["event"] == "progress" and event["total"] for event in events)


@pytest.mark.long
def test_side_by_side_comes_to_the_same_and_a_killed_process_costs_its_task_alone(
    path: Path,
) -> None:
    recipe = read_recipe(path)
    alone = other(recipe, path.parent / "alone")
    run(alone, Way(report=False, workers=1), hear=quiet)
    corpus = scored_on(recipe)
    marks = fingerprints(recipe, corpus)
    to_do = tasks(marks, marks)
    heard: list[Event] = []
    killed = threading.Event()

    def hear(event: Event) -> None:
        heard.append(event)
        if isinstance(event, Progress) and not killed.is_set():
            killed.set()
            kill_a_worker()

    side_by_side(to_do, Order(recipe, "cpu", threads=1), hear, workers=2)
    assert killed.is_set()
    assert any(isinstance(event, Warned) and "was killed" in event.said for event in heard)
    assert not any(isinstance(event, Refused) for event in heard)
    for name in hashes(alone):
        mine = Bundle.open(Path(recipe.output) / name).manifest.files
        assert mine == Bundle.open(Path(alone.output) / name).manifest.files, name


def test_the_process_that_passes_events_on_ends_with_a_killed_run() -> None:
    """Reading to the end takes that all have ended that could write."""
    killed = "import os; from pipeline.executors.side_by_side import _manager; kept = _manager(); "
    killed += "print('begun', flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", killed], capture_output=True, timeout=30)
    assert done.stdout == b"begun\n", done.stderr


@pytest.mark.long
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_has_begun_ends_with_it(path: Path, by: signal.Signals) -> None:
    """Else whoever reads what it prints would wait for ever."""
    reading, writing = os.pipe()
    child = begun_secateur("run", str(path), "--workers", "2", "--jsonl", out=writing, err=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        while b"progress" not in said.readline():
            assert psutil.Process(child).status() != psutil.STATUS_ZOMBIE
        begun = psutil.Process(child).children(recursive=True)
        os.kill(child, by)
        os.waitpid(child, 0)
        _, left = psutil.wait_procs(begun, timeout=10)
        for process in left:
            process.kill()
        assert not left
        said.read()


def kill_a_worker() -> None:
    """The busiest of the processes that this one has begun."""
    children = psutil.Process().children()
    busiest = max(children, key=lambda each: sum(each.cpu_times()[:2]))
    busiest.send_signal(signal.SIGKILL)
    time.sleep(0.1)
