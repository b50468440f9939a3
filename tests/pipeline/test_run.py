"""`secateur run` on tiny models: bundles, measurements, and nothing done twice."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.results import read_results
from export.packed_checkpoint import load
from pipeline.plan import Cell
from pipeline.recipe import read_recipe
from pipeline.tasks import STATISTICS
from pipeline.workshop import Workshop
from prune import oneshot
from prune.checkpoint import open_checkpoint
from prune.schedule import prune
from runtime.bundle import Bundle
from speech.corpora import open_corpus
from speech.counted import counted
from tests.pipeline.command_line import assert_one_sentence, killed_once, secateur
from tests.pipeline.conftest import WriteRecipe

RATE = 16_000

VARIANTS = {"sew-dense", "sew-mp_global-50"}


BY_MAGNITUDE = """
prune.methods = ["mp_global"]
prune.sparsities = [0.0, 0.5]
measure.clips = 2
measure.samples = 2
"""


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> Path:
    return write_recipe(["sew", "whisper"], BY_MAGNITUDE)


@pytest.fixture
def sew_recipe(recipe: Path, tiny_folders: dict[str, Path]) -> Path:
    """The model that is exported faster, alone."""
    text = recipe.read_text()
    recipe.write_text(text.replace(f', "{tiny_folders["whisper"]}"]', "]"))
    assert "whisper" not in recipe.read_text()
    return recipe


def finished(recipe: Path, *words: str) -> str:
    done = secateur("run", str(recipe), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(output: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in output.glob("*/bundle.json")}


def stored() -> dict[str, Any]:
    """The rows of the store, by name."""
    done = secateur("results", "--all", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len({row["name"] for row in rows}) == len(rows)
    return {row["name"]: row for row in rows}


def test_a_run_leaves_verified_bundles_and_a_table_and_is_not_repeated(sew_recipe: Path) -> None:
    output, cut = sew_recipe.parent / "out", "sew-mp_global-50"
    both = sew_recipe.read_text()
    sew_recipe.write_text(both.replace("[0.0, 0.5]", "[0.5]"))
    [row] = json.loads(finished(sew_recipe, "--json"))
    bundle = Bundle.open(output / cut, check_hashes=True)
    assert bundle.manifest.sparsity.achieved == pytest.approx(0.5, abs=0.001)
    assert row["name"] == cut
    assert row["latency_ms"] > 0
    assert row["memory_mib"] > 10
    assert row["wer"] >= 0
    [measurement] = read_results(output / "results.jsonl")
    assert measurement.loaded_forbidden == ()
    page = (output / "report.md").read_text()
    assert cut in page and 'name = "trial"' in page and f"secateur run {sew_recipe}" in page
    assert len(measurement.samples) == 4
    before = manifests(output)

    assert "0 bundles built, 0 measured" in finished(sew_recipe)
    assert manifests(output) == before
    [row] = stored().values()
    assert (row["name"], row["device"], row["samples"]) == (cut, "this", 4)
    assert (row["method"], row["precision"]) == ("mp_global", "fp32")
    assert row["model"].endswith("sew")
    again = secateur("results", "--import", str(output / "results.jsonl"))
    assert "results.jsonl: 0 new" in again.stderr

    mine = output / "sew-dense" / "diary.txt"
    mine.parent.mkdir()
    mine.write_text("private")
    sew_recipe.write_text(both)
    done = secateur("run", str(sew_recipe), "--json")
    assert done.returncode == 2
    assert "sew-dense could not be made: " in done.stderr
    assert "Not made, for reasons given above: sew-dense." in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert [row["name"] for row in json.loads(done.stdout)] == [cut]
    assert mine.read_text() == "private"

    mine.unlink()
    assert "1 bundle built, 1 measured" in finished(sew_recipe)
    assert manifests(output) == {**manifests(output), **before}
    assert {name: row["samples"] for name, row in stored().items()} == dict.fromkeys(VARIANTS, 4)


def test_other_precisions_are_made_from_what_is_there(
    recipe: Path, tiny_folders: dict[str, Path]
) -> None:
    output = recipe.parent / "out"
    both = recipe.read_text().replace("[0.0, 0.5]", "[0.5]")
    both += 'export.pytorch = "packed"\nexport.zstd = 3\n'
    recipe.write_text(both.replace(f'"{tiny_folders["sew"]}", ', ""))
    finished(recipe)
    before = manifests(output)
    recipe.write_text(recipe.read_text() + 'export.precisions = ["fp16", "int8"]\n')
    rows = {row["name"]: row for row in json.loads(finished(recipe, "--json"))}
    (name,) = before
    assert load(output / name).model.config.model_type == "whisper"
    assert (output / name / "pytorch" / "model.packed.safetensors").exists()
    assert rows.keys() == {name, f"{name}-fp16", f"{name}-int8"}
    assert manifests(output)[name] == before[name]
    assert rows[f"{name}-int8"]["size_mib"] < rows[name]["size_mib"]
    assert rows[f"{name}-int8"]["wer"] is not None
    precisions = {row["name"]: row["precision"] for row in rows.values()}
    assert precisions == {name: "fp32", f"{name}-fp16": "fp16", f"{name}-int8": "int8"}
    assert rows[name]["model"] == str(tiny_folders["whisper"])
    bundle = Bundle.open(output / f"{name}-int8", check_hashes=True)
    assert bundle.manifest.precision == "int8"
    assert bundle.manifest.provenance["parent"] == Bundle.open(output / name).sha256

    recipe.write_text(both + 'export.precisions = ["mixed"]\n')
    done = secateur("run", str(recipe))
    assert_one_sentence(done, "'mixed' is for an encoder and a decoder", "is one graph")


def test_a_killed_run_is_taken_up_where_it_was(sew_recipe: Path) -> None:
    output = sew_recipe.parent / "out"
    killed_once((output / "sew-dense" / "bundle.json").exists, "run", str(sew_recipe))
    for folder in output.glob("*/bundle.json"):
        Bundle.open(folder.parent, check_hashes=True)
    kept = manifests(output)
    assert "sew-dense" in kept
    out = finished(sew_recipe)
    assert "2 measured" in out
    assert f"{counted(2 - len(kept), 'bundle')} built" in out
    assert manifests(output).keys() == VARIANTS
    assert {name: manifests(output)[name] for name in kept} == kept


def test_bad_recipes_and_models_exit_with_2_and_one_sentence(recipe: Path) -> None:
    for text in (
        recipe.read_text().replace("mp_global", "mp_nothing"),
        recipe.read_text().replace("models = [", 'models = ["./no/such/model", '),
        recipe.read_text().replace("clips", "clisp"),
    ):
        recipe.write_text(text)
        assert_one_sentence(secateur("run", str(recipe)))


def test_without_a_place_for_what_is_measured_nothing_is_begun(sew_recipe: Path) -> None:
    done = secateur("run", str(sew_recipe), SECATEUR_DATA=str(sew_recipe))
    assert_one_sentence(done, "recipe.toml/jobs/this cannot be written")
    assert not (sew_recipe.parent / "out").exists()


def test_a_device_that_nobody_has_added_is_named_before_anything_is_built(sew_recipe: Path) -> None:
    sew_recipe.write_text(sew_recipe.read_text() + 'measure.devices = ["this", "my-pi"]\n')
    done = secateur("run", str(sew_recipe))
    assert_one_sentence(done, "No device is called 'my-pi'", "secateur device add my-pi")
    assert not (sew_recipe.parent / "out").exists()


def test_cells_share_statistics_but_no_weights(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = open_corpus(str(recipe.parent / "clips"))
    text = recipe.read_text().replace('["mp_global"]', '["wanda", "owl_mp", "obs_structured"]')
    recipe.write_text(text)
    content = read_recipe(recipe)
    model = content.models[0]
    heard = []
    listen = oneshot.hessians
    monkeypatch.setattr(oneshot, "hessians", lambda *a, **k: heard.append(1) or listen(*a, **k))
    workshop = Workshop(model, content, torch.device("cpu"), lambda _: None)
    made = {
        method: workshop.pruned(Cell(model, method, 0.5), recipe.parent)[0].model
        for method in ("wanda", "obs_structured", "owl_mp")
    }
    assert len(heard) == 1
    alone = open_checkpoint(model)
    prune(alone, "owl_mp", 0.5, clips)
    for mine, theirs in zip(made["owl_mp"].parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)

    heard.clear()
    (kept,) = (recipe.parent / "out" / STATISTICS).glob("*/hessians.safetensors")
    kept.write_bytes(kept.read_bytes()[:-1])
    later = Workshop(model, content, torch.device("cpu"), lambda _: None)
    again = later.pruned(Cell(model, "owl_mp", 0.5), recipe.parent)[0].model
    assert len(heard) == 1, "what was damaged is worked out anew"
    for mine, theirs in zip(again.parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
