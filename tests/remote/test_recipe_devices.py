"""A recipe's devices: measured beside this machine, once, and gone on with where it was left."""

from pathlib import Path

import pytest

from bench.remote.devices import Device, new_device, write_devices
from bench.remote.work import Worker
from bench.results import read_results
from pipeline.events import Event, Measured
from pipeline.measuring import measure
from pipeline.recipe import Recipe
from pipeline.recipe.pruning import PruneSection
from pipeline.recipe.schema import MeasureSection
from runtime.bundle import Bundle
from speech.corpora import Corpus, open_corpus
from speech.errors import BadInput
from tests.remote.sshd import Board


@pytest.fixture
def spoken(corpus: Path) -> Corpus:
    return open_corpus(str(corpus))


def recipe(output: Path, devices: list[str]) -> Recipe:
    return Recipe(
        name="trial",
        models=["demo-sew"],
        output=str(output),
        prune=PruneSection(methods=["mp_global"], sparsities=[0.5]),
        measure=MeasureSection(devices=devices, clips=1, samples=2, warm_up=0),
    )


def test_each_device_is_measured_once_and_one_that_is_off_stops_no_other(
    bundle: Path, spoken: Corpus, board: Board, device: Device, tmp_path: Path
) -> None:
    write_devices({"pi": device, "off": new_device("off", "me@127.0.0.1:1")})
    wanted, heard = recipe(tmp_path / "out", ["this", "pi", "off"]), list[Event]()
    first = measure([Bundle.open(bundle)], wanted, spoken, heard.append)
    assert [found.environment["device"] for found in first.all] == ["this", "pi"]
    assert all(found.error is None and len(found.samples) == 2 for found in first.all)
    assert (first.new, [*first.problems]) == (2, ["off"])
    assert "cannot be reached" in first.problems["off"]
    told = [event.device for event in heard if isinstance(event, Measured)]
    assert told == ["this", "pi"]
    assert read_results(tmp_path / "out" / "results.jsonl") == first.all

    again = measure([Bundle.open(bundle)], wanted, spoken, lambda _: None)
    assert (again.new, again.all) == (0, first.all)
    with pytest.raises(BadInput, match="No device is called 'nobody'"):
        measure([Bundle.open(bundle)], recipe(tmp_path / "o", ["nobody"]), spoken, lambda _: None)


def test_a_job_that_a_stopped_run_has_left_is_looked_at_and_not_begun_again(
    bundle: Path,
    spoken: Corpus,
    board: Board,
    device: Device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_devices({"pi": device})
    wanted, watch = recipe(tmp_path / "out", ["pi"]), Worker.watch

    def stop(*_: object) -> None:
        raise BadInput("The power went.")

    monkeypatch.setattr(Worker, "watch", stop)
    stopped = measure([Bundle.open(bundle)], wanted, spoken, lambda _: None)
    assert [*stopped.problems] == ["pi"]
    monkeypatch.setattr(Worker, "watch", watch)
    monkeypatch.setattr(Worker, "begin", stop)
    found = measure([Bundle.open(bundle)], wanted, spoken, lambda _: None)
    assert (found.new, found.problems) == (1, {})
    assert not list((tmp_path / "out").glob(".measuring*"))
