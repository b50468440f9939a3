"""`--gpus`: refused where it cannot be or is of no use, and passed on to where a model learns."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.executors.here import here
from pipeline.executors.work import Order
from pipeline.plan import cells, fingerprints
from pipeline.pruning import Job, carry_out
from pipeline.recipe import read_recipe
from pipeline.spoken import scored_on
from pipeline.tasks import tasks
from prune.options import Options
from prune.training_plan import FineTuning, Outcome
from tests.pipeline.command_line import assert_one_sentence, secateur
from tests.pipeline.conftest import WriteRecipe


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Path:
    return write_recipe(["whisper"], """
        [prune]
        methods = ["mp_global", "imp_global"]
        sparsities = [0.4]
        step = 0.4
    """)  # fmt: skip


@pytest.fixture
def learnt_by(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes each fine-tuning was to have; none takes place."""
    asked: list[int] = []

    def finetune(*_: Any, processes: int, **__: Any) -> Outcome:
        asked.append(processes)
        return Outcome(1, 0, ((0, 1.0),), "finished")

    monkeypatch.setattr("prune.schedule.finetune", finetune)
    return asked


def test_a_run_tells_of_gpus_where_they_were_used(
    recipe: Path, learnt_by: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, told = read_recipe(recipe), dict[str, dict[str, Any]]()
    marks = fingerprints(content, scored_on(content))

    def write_bundle(*_: Any, name: str, provenance: dict[str, Any], **__: Any) -> None:
        told[name] = provenance

    monkeypatch.setattr("pipeline.workshop.write_bundle", write_bundle)
    here(tasks(marks, marks), Order(content, "cpu", gpus=2), lambda _: None)
    by_two = {name for name, provenance in told.items() if provenance.get("gpus") == 2}
    assert by_two == {"whisper-imp_global-40", "whisper-dense_finetune"}
    assert set(told) == {cell.name for cell in cells(content)} == {*by_two, "whisper-mp_global-40"}
    assert learnt_by == [2, 2]
    here(tasks(marks, marks), Order(content, "cpu"), lambda _: None)
    assert learnt_by == [2, 2, 1, 1]
    assert not any("gpus" in provenance for provenance in told.values())


@pytest.mark.parametrize("gpus", [1, 2])
def test_so_does_a_pruning(
    tiny_folders: dict[str, Path],
    tmp_path: Path,
    learnt_by: list[int],
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
) -> None:
    monkeypatch.setattr("pipeline.pruning.refuse_gpus", lambda *_: None)
    job = Job(
        model=str(tiny_folders["whisper"]), revision=None, method="imp_global", sparsity=0.4,
        options=Options(step=0.4, fine_tuning=FineTuning(steps=2)), corpus="demo:calibration",
        clips=2, lessons=None, vocabulary=None, device="cpu", work=None, output=tmp_path / "out",
        gpus=gpus,
    )  # fmt: skip
    record = carry_out(job, lambda *_: None)
    assert learnt_by == [gpus]
    assert record.get("gpus", 1) == gpus


def test_gpus_that_are_not_there_or_of_no_use(
    tiny_folders: dict[str, Path], tmp_path: Path, recipe: Path
) -> None:
    prune = ["prune", str(tiny_folders["whisper"]), "--sparsity", "0.5", "--gpus", "2"]
    prune += ["--corpus", "demo:calibration", "--clips", "2", "-o", str(tmp_path / "cut")]
    prune += ["--device", "cpu", "--method"]
    assert_one_sentence(secateur(*prune, "obs_finetune"), "cannot share", "'cpu'", "--gpus")
    assert_one_sentence(secateur(*prune, "obs"), "no use for --gpus")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return secateur("run", str(recipe), "--gpus", "2", "--device", "cpu", *words)

    assert_one_sentence(run(), "cannot share", "'cpu'", "--gpus")
    assert_one_sentence(run("--workers", "2"), "both want the GPUs")
    assert_one_sentence(run("--executor", "ray"), "--executor ray")
    recipe.write_text(recipe.read_text().replace(', "imp_global"', "").replace("step = 0.4", ""))
    assert_one_sentence(run(), "no method here fine-tunes")
    assert not (tmp_path / "out").exists()
