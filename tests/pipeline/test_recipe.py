"""Recipes: what they say reaches the engine and decides which bundles there are."""

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.plan import cells, fingerprints
from pipeline.recipe import Recipe, read_recipe
from pipeline.recipe.pruning import FineTuningSection, PruneSection
from prune.options import Options
from prune.training_plan import FineTuning
from speech.corpora import open_corpus
from tests.noise import write_noise

GOOD = """
name = "trial"
models = ["demo-sew"]
[prune]
methods = ["mp_global"]
sparsities = [0.0, 0.5]
"""


def test_fine_tuning_is_set_as_the_engine_knows_it(tmp_path: Path) -> None:
    assert set(FineTuningSection.model_fields) == {f.name for f in fields(FineTuning)} - {"seed"}
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD + "[prune.fine_tuning]\nsteps = 7\nrate = 1e-4\n")
    plan = read_recipe(path).prune.fine_tuning.plan(seed=3)
    assert plan == FineTuning(steps=7, rate=1e-4, seed=3)


@pytest.mark.parametrize(
    ("methods", "sparsities", "names"),
    [
        (["mp_global", "obs"], [0.0, 0.5], ["dense", "mp_global-50", "obs-50"]),
        (["obs_finetune"], [0.5], ["dense_finetune", "obs_finetune-50"]),
        (["obs", "iobs"], [0.0, 0.5], ["dense", "dense_finetune", "obs-50", "iobs-50"]),
        (["iobs"], [0.0], ["dense"]),
        (["dense_finetune"], [0.5], ["dense_finetune"]),
        (["dense_finetune", "obs"], [0.0, 0.5], ["dense", "dense_finetune", "obs-50"]),
    ],
)
def test_a_fine_tuned_sweep_has_its_control(
    methods: list[str], sparsities: list[float], names: list[str]
) -> None:
    section = PruneSection(methods=methods, sparsities=sparsities)
    recipe = Recipe(name="trial", models=["a/demo-sew"], prune=section)
    assert [cell.name for cell in cells(recipe)] == [f"demo-sew-{name}" for name in names]


def test_what_is_cut_in_shares_and_learns_has_its_control_too() -> None:
    section = PruneSection(methods=["obs_structured_finetune"], sparsities=[0.0], ffn=0.5)
    recipe = Recipe(name="trial", models=["demo-sew"], prune=section)
    assert [cell.method for cell in cells(recipe)] == [
        "dense", "dense_finetune", "obs_structured_finetune"
    ]  # fmt: skip


def test_a_bundle_is_made_again_when_what_it_holds_is_another(tmp_path: Path) -> None:
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))

    def marks(export: str) -> list[str]:
        (tmp_path / "recipe.toml").write_text(f"{GOOD}[export]\nprecisions = ['int8']\n{export}")
        recipe = read_recipe(tmp_path / "recipe.toml")
        found = {cell.name: mark for cell, mark in fingerprints(recipe, corpus).items()}
        return [found["demo-sew-dense"], found["demo-sew-dense-int8"]]

    plain, packed, none = (marks(f"pytorch = '{how}'") for how in ("plain", "packed", "none"))
    assert marks("") == plain
    assert len({plain[0], packed[0], none[0]}) == 3
    assert marks("zstd = 3")[0] == plain[0] and marks("zstd = 3")[1] != plain[1]
    assert marks("zstd = 3\npytorch = 'packed'")[0] != packed[0]


def test_options_go_to_the_methods_that_have_a_use_for_them(tmp_path: Path) -> None:
    own = {"methods", "sparsities"}
    assert set(PruneSection.model_fields) - own == {f.name for f in fields(Options)} - {"seed"}
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))

    def marks(**options: object) -> dict[str, str]:
        methods = ["obs", "nm_obs", "obs_structured"]
        section = PruneSection(methods=methods, sparsities=[0.5, 0.7], **options)
        recipe = Recipe(name="trial", models=["demo-sew"], prune=section)
        found = {cell.name: mark for cell, mark in fingerprints(recipe, corpus).items()}
        return {name.removeprefix("demo-sew-"): mark for name, mark in found.items()}

    plain, special = marks(), marks(pattern="2:4", heads=0.25, ffn=0.5)
    assert set(plain) == {f"{m}-{s}" for m in ("obs", "nm_obs", "obs_structured") for s in (50, 70)}
    assert set(special) == {"obs-50", "obs-70", "nm_obs-50", "obs_structured-heads25-ffn50"}
    assert special["obs-50"] == plain["obs-50"]
    assert special["nm_obs-50"] != plain["nm_obs-50"]
    assert marks(layers=["*.fc1"])["obs-50"] != plain["obs-50"]


def test_each_seed_has_its_variants_where_something_is_drawn(tmp_path: Path) -> None:
    section = PruneSection(methods=["mp_global", "obs"], sparsities=[0.0, 0.5])
    recipe = Recipe(name="trial", models=["demo-sew"], prune=section, seeds=[3, 1])
    planned = {cell.name.removeprefix("demo-sew-"): cell.seed for cell in cells(recipe)}
    assert planned == {"dense": 3, "mp_global-50": 3, "obs-50": 3, "obs-50-seed1": 1}
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))
    assert len(set(fingerprints(recipe, corpus).values())) == len(planned)


def test_a_revision_is_part_of_what_a_variant_is_and_not_of_its_name(tmp_path: Path) -> None:
    corpus = open_corpus(str(write_noise(tmp_path / "clips", (1,))))
    section = PruneSection(methods=["mp_global"], sparsities=[0.5])
    plain, pinned = (
        fingerprints(Recipe(name="trial", models=[name], prune=section), corpus)
        for name in ("openai/whisper-tiny", "openai/whisper-tiny@main")
    )
    assert [cell.name for cell in plain] == [cell.name for cell in pinned]
    assert not {*plain.values()} & {*pinned.values()}
