"""`secateur plot`: which points are drawn, and what cannot be put on one picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.backends.backend_agg  # noqa: F401 - copies of this process then have it
import pytest
from PIL import Image

from bench.results import write_results
from pipeline.plots.comparison import compared, draw_comparison
from pipeline.plots.sources import read_runs
from pipeline.sweep_results import Point, Sweep
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.tui.measured import measurement as measurement_of
from tui.tradeoffs.axes import SPARSITY, WER

measurement = partial(measurement_of, model="models/toy")


def score(wer: float) -> dict[str, Any]:
    return {"wer": wer, "wer_low": 0.8 * wer, "wer_high": 1.2 * wer, "cer": wer / 3,
            "substitutions": 1, "insertions": 2, "deletions": 3, "clips": 9, "words": 90,
            "normalizer": "basic"}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`first/results.jsonl` and `second/results.json`, a sweep of the same model."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "first").mkdir()
    write_results(folder / "first" / "results.jsonl", [
        measurement("toy-dense", "dense", 0.0, 0.04, 30),
        measurement("toy-obs-70", "obs", 0.7, 0.08, 29),
        measurement("toy-obs-50", "obs", 0.5, 0.05, 31),
        measurement("toy-iobs-50", "iobs", 0.5, 0.045, 31),
        measurement("toy-dense_finetune", "dense_finetune", 0.0, 0.03, 30),
        measurement("toy-obs-50", "obs", 0.5, 0.05, 12, device="mac"),
    ])  # fmt: skip
    (folder / "second").mkdir()
    points = (
        Point("dense", 0.0, 0.0, score(0.041)),
        Point("obs", 0.5, 0.501, score(0.06)),
        Point("nm_obs", 0.55, problem="not one that n of m can reach."),
    )
    sweep = Sweep({"model": "models/toy"}, "whisper", points)
    sweep.write(folder / "second" / "results.json")
    return folder


def drawn(*words: object) -> dict[str, Any]:
    done = secateur("plot", *map(str, words), "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_runs_and_sweeps_are_compared_line_by_line(runs: Path) -> None:
    found = drawn(
        runs / "first", runs / "second" / "results.json", "--device", "pi", "--device", ""
    )
    lines = {(line["method"], line["mark"]): line["points"] for line in found["lines"]}
    assert lines.keys() == {("obs", "first"), ("iobs", "first"), ("obs", "second")}
    obs = lines["obs", "first"]
    assert [(point["x"], point["y"]) for point in obs] == [(0, 4), (50, 5), (70, 8)]
    assert (obs[1]["low"], obs[1]["high"]) == (pytest.approx(4.5), pytest.approx(5.5))
    assert [point["y"] for point in lines["iobs", "first"]] == [3, 4.5]
    assert [point["x"] for point in lines["obs", "second"]] == [0, pytest.approx(50.1)]
    controls = {(line["method"], line["mark"]) for line in found["controls"]}
    assert controls == {("dense", "first"), ("dense_finetune", "first"), ("dense", "second")}


def test_axes_and_filters(runs: Path) -> None:
    found = drawn(runs / "first", "--x", "latency", "--y", "cer", "--method", "obs",
                  "--device", "mac", "--model", "toy")  # fmt: skip
    [line] = found["lines"]
    assert (found["x"], found["y"]) == ("latency", "cer")
    assert [(p["x"], p["y"]) for p in line["points"]] == [(pytest.approx(12), pytest.approx(2.5))]
    assert found["controls"] == []
    found = drawn(runs / "first", "--method", "iobs")
    assert [line["method"] for line in found["lines"]] == ["iobs"]
    assert {line["method"] for line in found["controls"]} == {"dense", "dense_finetune"}


def test_pictures_come_in_three_kinds_and_the_same_twice(runs: Path, tmp_path: Path) -> None:
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    path = tmp_path / "plot.png"
    done = secateur("plot", str(runs / "first"), str(runs / "second"), "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path} has 4 lines.\n"
    with Image.open(path) as picture:
        assert picture.size == (1600, 900)
    both = read_runs([runs / "first", runs / "second"])
    shown = compared(both, SPARSITY, WER)
    for kind, beginning in begins.items():
        mine = tmp_path / f"mine.{kind}"
        draw_comparison(shown, mine, SPARSITY, WER)
        first = mine.read_bytes()
        assert first.startswith(beginning)
        if kind == "png":
            assert first == path.read_bytes()
        else:
            draw_comparison(shown, mine, SPARSITY, WER)
            assert mine.read_bytes() == first


def test_a_run_that_is_not_on_the_picture_is_named(runs: Path, tmp_path: Path) -> None:
    done = secateur("plot", str(runs / "first"), str(runs / "second"), "--x", "size", "--json")
    assert done.returncode == 0
    assert "second is not on the picture: none of its results has both size and wer" in done.stderr
    assert {line["mark"] for line in json.loads(done.stdout)["lines"]} <= {"pi", "mac"}


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["{first}"], ["--output", "plot.png", "--json"]),
        (["{first}", "-o", "x.jpg"], ["x.jpg", ".png, .svg, .pdf"]),
        (["{first}", "-o", "none/x.png"], ["There is no folder none"]),
        (["{first}", "--method", "obss", "--json"], ["method 'obss'", "dense", "iobs, obs"]),
        (["{first}", "--model", "toi", "--json"], ["model 'toi'", "there are: toy"]),
        (["{first}", "--x", "wer", "--json"], ["--x and --y are both wer"]),
        (["{second}", "--x", "latency", "--json"], ["2 results", "latency", "sparsity, wer, cer"]),
        (
            ["{empty}", "--json"],
            ["neither a results.jsonl nor a results.json"],
        ),
        (["none.jsonl", "--json"], ["none.jsonl: there is no such results file"]),
        (["none.json", "--json"], ["There is no none.json", "`secateur sweep`"]),
        (["{broken}", "--json"], ["broken.json is not what `secateur sweep` writes"]),
        (["{many}", "--json"], ["9 kinds of lines for each method", "--device"]),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    runs: Path, tmp_path: Path, words: list[str], fragments: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text('{"kind": "secateur sweep", "points": 3}')
    write_results(
        tmp_path / "many.jsonl",
        [measurement("toy-obs-50", "obs", 0.5, 0.05, 9, device=f"pi-{n}") for n in range(9)],
    )
    places = {
        "first": runs / "first", "second": runs / "second", "empty": tmp_path / "empty",
        "broken": tmp_path / "broken.json", "many": tmp_path / "many.jsonl",
    }  # fmt: skip
    done = secateur("plot", *(word.format(**places) for word in words))
    assert_one_sentence(done, *fragments)
