"""`secateur sweep` on tiny models: every point, nothing twice, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.evaluate import evaluate
from pipeline.sweep import Workbench, asked
from pipeline.sweep_results import read_sweep
from prune import oneshot
from prune.checkpoint import open_checkpoint
from prune.options import Options
from prune.schedule import prune
from speech.corpora import open_corpus
from tests.noise import write_noise
from tests.pipeline.command_line import assert_one_sentence, secateur

POINTS = [("dense", 0.0), ("mp_local", 0.5), ("mp_local", 0.9), ("wanda", 0.5), ("wanda", 0.9)]


@pytest.fixture
def words(tiny_folders: dict[str, Path], tmp_path: Path) -> list[str]:
    clips = write_noise(tmp_path / "clips", (1, 1, 1), "flac")
    return [
        "sweep", "--model", str(tiny_folders["sew"]), "--methods", "mp_local,wanda",
        "--sparsities", "0.9,0,0.5", "--corpus", str(clips), "--num-samples", "2",
        "--calibrate", str(clips), "--output", str(tmp_path / "sweep" / "results.json"),
    ]  # fmt: skip


def replaced(words: list[str], **options: str) -> list[str]:
    changed = list(words)
    for name, value in options.items():
        changed[changed.index(f"--{name.replace('_', '-')}") + 1] = value
    return changed


def swept(words: list[str]) -> list[dict[str, Any]]:
    done = secateur(*words, "--json")
    assert done.returncode == 0, done.stderr
    points: list[dict[str, Any]] = json.loads(done.stdout)["points"]
    return points


def test_every_point_is_what_pruning_and_scoring_give(
    words: list[str], tmp_path: Path, tiny_folders: dict[str, Path]
) -> None:
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    assert "mp_local" in done.stdout and "sub  ins  del" in done.stdout
    sweep = read_sweep(tmp_path / "sweep" / "results.json")
    assert [(point.method, point.sparsity) for point in sweep.points] == POINTS
    clips = open_corpus(str(tmp_path / "clips"))
    alone = open_checkpoint(str(tiny_folders["sew"]))
    achieved = prune(alone, "wanda", 0.5, clips).sparsity.achieved
    alone.save(tmp_path / "alone")
    heard = open_corpus(str(tmp_path / "clips"), limit=2)
    for place, model in ((3, tmp_path / "alone"), (0, tiny_folders["sew"])):
        assert sweep.points[place].score == evaluate(str(model), heard).score.to_json()
    assert sweep.points[3].achieved == pytest.approx(achieved)
    assert sweep.points[0].achieved == 0
    assert (sweep.settings["clips"], sweep.settings["calibration_clips"]) == (2, 3)


def test_it_goes_on_where_it_stopped_and_only_with_the_same(
    words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "sweep" / "results.json"
    whole = swept(words)
    record = json.loads(path.read_text())
    record["points"] = record["points"][:3]
    record["points"][1]["prune_seconds"] = 1234.5
    path.write_text(json.dumps(record))
    again = swept(words)
    assert again[1]["prune_seconds"] == 1234.5
    assert [point["score"] for point in again] == [point["score"] for point in whole]
    kept = path.read_bytes()
    assert swept(words) == again and path.read_bytes() == kept

    other = replaced(words, sparsities="0,0.5")
    assert_one_sentence(secateur(*other), "results.json", "sparsities 0.0,0.5,0.9", "0.0,0.5:",
                        "--force")  # fmt: skip
    path.write_text("not JSON")
    assert_one_sentence(secateur(*words), "results.json is not what `secateur sweep` writes")
    assert path.read_text() == "not JSON"
    assert [(p["method"], p["sparsity"]) for p in swept([*other, "--force"])] == [
        point for point in POINTS if point[1] < 0.9
    ]  # fmt: skip


def test_a_point_that_cannot_be_is_named_and_the_others_are_there(
    words: list[str], tmp_path: Path
) -> None:
    done = secateur(*replaced(words, methods="nm_obs,mp_local", sparsities="0.5003,0.503"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "nm_obs 50.3 %: sparsity 0.503 is not one that keeping n of m" in done.stderr
    points = read_sweep(tmp_path / "sweep" / "results.json").points
    assert [bool(point.score) for point in points] == [True, False, True, True]


def test_what_fine_tunes_brings_its_control() -> None:
    found = [str(one) for one in asked(["mp_global", "imp_local"], [0.0, 0.5])]
    assert found == ["dense", "dense_finetune", "mp_global 50 %", "imp_local 50 %"]
    assert [str(one) for one in asked(["obs"], [0.5])] == ["obs 50 %"]


def test_the_calibration_is_heard_once_for_all(
    tiny_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = open_corpus(str(write_noise(tmp_path / "clips", (1, 1), "flac")))
    heard: list[int] = []
    listen = oneshot.hessians
    monkeypatch.setattr(oneshot, "hessians", lambda *a, **k: heard.append(1) or listen(*a, **k))
    bench = Workbench(open_checkpoint(str(tiny_folders["sew"])), clips, Options(), speech=clips)
    for method in ("wanda", "owl_mp", "wanda"):
        assert bench.point(method, 0.5).score
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"methods": "mp_locl"}, ["'mp_locl'", "did you mean 'mp_local'?"]),
        ({"methods": ","}, ["names none", "mp_global"]),
        ({"methods": "obs_profile"}, ["obs_profile", "leave it out", "obs"]),
        ({"sparsities": "0,50"}, ["50 is not between 0 and 1", "0.5 was meant"]),
        ({"sparsities": "0,-1"}, ["-1 is not between 0 and 1", "perhaps 0 was meant"]),
        ({"sparsities": "half"}, ["'half' is no number", "0.0,0.5"]),
        ({"sparsities": " "}, ["--sparsities names none"]),
        ({"model": "demo-sw"}, ["demo-sw", "did you mean demo-sew?"]),
        ({"corpus": "demo:tst"}, ["no split 'tst'", "calibration, test"]),
        ({"output": "results.txt"}, ["results.txt", "results.json"]),
        ({"output": "/proc/no/results.json"}, ["/proc/no/results.json cannot be written"]),
        ({"calibrate": ""}, ["wanda listens to speech", "--calibrate"]),
    ],
)
def test_bad_values_are_one_sentence_before_anything_is_done(
    words: list[str], tmp_path: Path, options: dict[str, str], fragments: list[str]
) -> None:
    assert_one_sentence(secateur(*replaced(words, **options)), *fragments)
    assert not (tmp_path / "sweep").exists()
